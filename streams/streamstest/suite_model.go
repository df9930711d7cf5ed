package streamstest

import (
	"errors"
	"fmt"

	"pgregory.net/rapid"

	"runnel/streams"
)

var modelTests = map[string]func(fixture){
	"model": testModel,
}

// model is what a channel has to hold, kept the simplest way.
type model struct {
	channel string
	head    streams.Head
	events  []*streams.Event
	heard   int // events and ephemeral ones since the beginning
	keys    map[string]answer
}

type answer struct {
	draft streams.Draft
	id    streams.ID
}

// testModel does the same to a channel and to a model of one, at random.
func testModel(f fixture) {
	run := 0
	rapid.Check(f.t, func(rt *rapid.T) {
		run++
		f := f
		f.TB = rt
		m := &model{channel: fmt.Sprint("model:", run), keys: map[string]answer{}}
		m.head = f.head(m.channel)
		e := &ear{}
		defer f.followBy(m.channel, e)()
		rt.Repeat(map[string]func(*rapid.T){
			"append": func(rt *rapid.T) { f.modelAppend(rt, m) },
			"range":  func(rt *rapid.T) { f.modelRange(rt, m) },
			"": func(*rapid.T) {
				if h := f.head(m.channel); h != m.head {
					f.Fatalf("head %+v, want %+v", h, m.head)
				}
			},
		})
		f.eventually("all events", func() bool { return len(e.all()) >= m.heard })
		if n := len(e.all()); n != m.heard {
			f.Fatalf("heard %d, want %d", n, m.heard)
		}
		f.checkEvents(m.events, e.stored())
	})
}

var anyDraft = rapid.Custom(func(t *rapid.T) streams.Draft {
	return streams.Draft{
		Type:      rapid.SampledFrom([]string{"", "chat", "a b"}).Draw(t, "type"),
		Data:      []byte(rapid.String().Draw(t, "data")),
		Text:      rapid.Bool().Draw(t, "text"),
		From:      rapid.SampledFrom([]string{"", "ana", "ключ"}).Draw(t, "from"),
		Ephemeral: rapid.IntRange(0, 5).Draw(t, "ephemeral") == 0,
		Key:       rapid.SampledFrom([]string{"", "", "", "1", "2", "3"}).Draw(t, "key"),
	}
})

func (f fixture) modelAppend(rt *rapid.T, m *model) {
	drafts := rapid.SliceOfN(anyDraft, 1, 6).Draw(rt, "drafts")
	for i := range drafts {
		if known, ok := m.keys[drafts[i].Key]; ok && rapid.Bool().Draw(rt, "repeat") {
			drafts[i] = known.draft
		}
	}
	results := f.tryAppend(m.channel, plenty, drafts...)
	for i, d := range drafts {
		f.modelResult(m, d, results[i])
	}
}

// modelResult checks one draft's result and takes it into the model.
func (f fixture) modelResult(m *model, d streams.Draft, r streams.Result) {
	f.Helper()
	if known, ok := m.keys[d.Key]; ok && d.Key != "" {
		same := known.draft.Type == d.Type && string(known.draft.Data) == string(d.Data) && known.draft.Text == d.Text
		switch {
		case same && known.draft.Ephemeral != d.Ephemeral: // left to the engine
		case same && (r.Err != nil || r.ID != known.id):
			f.Fatalf("repeated: %+v, first %v", r, known.id)
		case !same && !errors.Is(r.Err, streams.ErrKeyReused):
			f.Fatalf("another draft with a known key: %+v", r)
		}
		return
	}
	if r.Err != nil || r.ID.IsZero() != d.Ephemeral {
		f.Fatalf("%+v for %+v", r, d)
	}
	m.keys[d.Key] = answer{d, r.ID}
	m.heard++
	if d.Ephemeral {
		return
	}
	if r.ID.N != m.head.Last.N+1 || r.ID.Ms < m.head.Last.Ms {
		f.Fatalf("%v after %v", r.ID, m.head.Last)
	}
	m.events = append(m.events, &streams.Event{ID: r.ID, Prev: m.head.Last, Type: d.Type, Data: d.Data, From: d.From})
	m.head.Last = r.ID
}

func (f fixture) modelRange(rt *rapid.T, m *model) {
	q := streams.Query{
		From:     rapid.SampledFrom(positions(m.head, m.events)).Draw(rt, "from"),
		Backward: rapid.Bool().Draw(rt, "backward"),
		Events:   rapid.IntRange(1, 12).Draw(rt, "events"),
		Bytes:    rapid.IntRange(1, 3000).Draw(rt, "bytes"),
	}
	f.checkPage(m.events, m.head, q, f.page(m.channel, q))
}
