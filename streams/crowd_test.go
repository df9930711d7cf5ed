package streams

import (
	"context"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"
)

// TestTogetherAgainstModel: however subscriptions are woken, moved together or
// one by one, put back to before what did not go out, and closed, each gets all
// that is published since it came, in order and once.
func TestTogetherAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := NewMemory(1 << 20)
		defer log.Close()
		c := newTogether(log)
		defer c.broker.Close()
		t.Repeat(map[string]func(*rapid.T){
			"come":    c.come,
			"publish": c.publish,
			"serve":   c.serve,
			"next":    c.next,
			"close":   c.leave,
		})
		for len(c.mob.woken)+len(c.asked) > 0 {
			c.serve(t)
			c.next(t)
		}
		for s, got := range c.got {
			if want := c.published[c.since[s]:]; !slices.Equal(got, want) {
				t.Fatalf("got %q, want %q", got, want)
			}
		}
	})
}

// together is the subscriptions of a crowd, and what each was given.
type together struct {
	broker    *Broker
	mob       *mob
	published []string
	since     map[*Subscription]int // how many were published before it came
	got       map[*Subscription][]string
	asked     []*Subscription // to be asked by Next
	open      []*Subscription
}

func newTogether(log Log) *together {
	return &together{
		broker: NewBroker(BrokerOptions{Log: log}), mob: &mob{},
		since: map[*Subscription]int{}, got: map[*Subscription][]string{},
	}
}

func (c *together) come(t *rapid.T) {
	s, err := c.broker.Subscribe(context.Background(), "a", Now(), member{c.mob})
	if err != nil {
		t.Fatal(err)
	}
	c.since[s], c.got[s] = len(c.published), nil
	c.asked, c.open = append(c.asked, s), append(c.open, s)
}

func (c *together) publish(t *rapid.T) {
	for range rapid.IntRange(1, 3).Draw(t, "events") {
		n := strconv.Itoa(len(c.published))
		if rapid.IntRange(0, 4).Draw(t, "ephemeral") == 0 {
			n = ""
		} else {
			c.published = append(c.published, n)
		}
		if _, err := c.broker.Publish(context.Background(), "a", Draft{Data: []byte("x" + n), Text: true, Ephemeral: n == ""}); err != nil {
			t.Fatal(err)
		}
	}
}

// serve serves some of those that were woken first.
func (c *together) serve(t *rapid.T) {
	if len(c.mob.woken) == 0 {
		return
	}
	w := c.mob.woken[0]
	n := rapid.IntRange(1, 4).Draw(t, "at once")
	if w.Len() <= n {
		c.mob.woken = c.mob.woken[1:]
	}
	subs := w.Take(nil, n)
	batch, moved := Together(subs, nil, rapid.SampledFrom([]int{1, 500, 1 << 20}).Draw(t, "bytes"))
	for _, s := range subs[:moved] {
		c.take(t, s, &batch)
	}
	c.asked = append(c.asked, subs[moved:]...)
}

// take gives a subscription a batch, or only the beginning of it.
func (c *together) take(t *rapid.T, s *Subscription, b *Batch) {
	if _, open := c.got[s]; !open {
		if len(b.Events) > 0 {
			t.Fatal("a closed subscription got events")
		}
		return
	}
	fit := len(b.Events)
	if rapid.IntRange(0, 3).Draw(t, "full") == 0 {
		fit = rapid.IntRange(0, fit).Draw(t, "fit")
	}
	at := b.From
	for _, e := range b.Events[:fit] {
		if !e.Ephemeral() {
			at = e.ID
			c.got[s] = append(c.got[s], string(e.Data[1:]))
		}
	}
	if fit < len(b.Events) {
		s.Seek(at, nil)
	}
	if s.Due() {
		c.asked = append(c.asked, s)
	}
}

// next asks one of those that are to be asked.
func (c *together) next(t *rapid.T) {
	if len(c.asked) == 0 {
		return
	}
	i := rapid.IntRange(0, len(c.asked)-1).Draw(t, "which")
	s := c.asked[i]
	c.asked = slices.Delete(c.asked, i, i+1)
	b := s.Next(nil, 1<<20)
	if b.Gap != nil {
		t.Fatalf("a gap: %+v", b.Gap)
	}
	c.take(t, s, &b)
}

func (c *together) leave(t *rapid.T) {
	if len(c.open) == 0 {
		return
	}
	i := rapid.IntRange(0, len(c.open)-1).Draw(t, "which")
	s := c.open[i]
	c.open = slices.Delete(c.open, i, i+1)
	s.Close()
	delete(c.got, s)
}
