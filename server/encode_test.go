package server

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"runnel/streams"
)

var testID = streams.ID{Ms: 1732137600123, N: 42}

func TestEncodedForms(t *testing.T) {
	for _, c := range []struct {
		name          string
		event         *streams.Event
		sse, envelope string
	}{
		{"JSON", &streams.Event{ID: testID, Data: []byte(`{"n":12345678901234567890.10}`), From: "alice"},
			"data: {\"n\":12345678901234567890.10}\nid: 1732137600123-42\n\n",
			`{"type":"event","channel":"c:1","id":"1732137600123-42","event":"message","data":{"n":12345678901234567890.10},"from":"alice","time":"2024-11-20T21:20:00.123Z"}`},
		{"type", &streams.Event{ID: testID, Type: "mo\"ved", Data: []byte("1")},
			"event: mo\"ved\ndata: 1\nid: 1732137600123-42\n\n",
			`{"type":"event","channel":"c:1","id":"1732137600123-42","event":"mo\"ved","data":1,"time":"2024-11-20T21:20:00.123Z"}`},
		{"text of lines", &streams.Event{ID: testID, Text: true, Data: []byte(" a\n\n: b\u2028\"\\\t\x01\n")},
			"data:  a\ndata: \ndata: : b\u2028\"\\\t\x01\ndata: \nid: 1732137600123-42\n\n",
			`{"type":"event","channel":"c:1","id":"1732137600123-42","event":"message","text":" a\n\n: b` + "\u2028" + `\"\\\t\u0001\n","time":"2024-11-20T21:20:00.123Z"}`},
		{"JSON of lines", &streams.Event{ID: testID, Data: []byte("[\n1\n]")},
			"data: [\ndata: 1\ndata: ]\nid: 1732137600123-42\n\n",
			`{"type":"event","channel":"c:1","id":"1732137600123-42","event":"message","data":[` + "\n1\n" + `],"time":"2024-11-20T21:20:00.123Z"}`},
		{"ephemeral", &streams.Event{Type: "typing", Data: []byte("true"), From: "é"},
			"event: typing\ndata: true\n\n",
			`{"type":"event","channel":"c:1","event":"typing","data":true,"from":"é"}`},
		{"forged", &streams.Event{ID: testID, Type: "x\nid: 9-9", Text: true, Data: []byte("a\rid: 9-9\r\ndata: b")},
			"event: x id: 9-9\ndata: a\ndata: id: 9-9\ndata: data: b\nid: 1732137600123-42\n\n",
			`{"type":"event","channel":"c:1","id":"1732137600123-42","event":"x\nid: 9-9","text":"a\u000did: 9-9\u000d\ndata: b","time":"2024-11-20T21:20:00.123Z"}`},
		{"no UTF-8", &streams.Event{ID: testID, Text: true, Data: []byte("a\xffb")},
			"data: a\xffb\nid: 1732137600123-42\n\n",
			`{"type":"event","channel":"c:1","id":"1732137600123-42","event":"message","text":"a` + "\ufffd" + `b","time":"2024-11-20T21:20:00.123Z"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(sseBlock(c.event)); got != c.sse {
				t.Errorf("SSE\n%q, want\n%q", got, c.sse)
			}
			if got := string(envelope(c.event, "c:1")); got != c.envelope {
				t.Errorf("envelope\n%s, want\n%s", got, c.envelope)
			}
			if payload := unframe(t, wsFrame(c.event, "c:1")); payload != c.envelope {
				t.Errorf("frame of %s", payload)
			}
		})
	}
}

// unframe reads a whole server frame by RFC 6455 section 5.2.
func unframe(t testing.TB, frame []byte) string {
	t.Helper()
	if frame[0] != 0x81 {
		t.Fatalf("first byte %x: not a final text frame", frame[0])
	}
	n, rest := uint64(frame[1]), frame[2:]
	switch {
	case n == 126:
		n, rest = uint64(binary.BigEndian.Uint16(rest)), rest[2:]
		if n < 126 {
			t.Fatal("length not in the shortest form")
		}
	case n == 127:
		n, rest = binary.BigEndian.Uint64(rest), rest[8:]
		if n <= 0xffff {
			t.Fatal("length not in the shortest form")
		}
	case n > 127:
		t.Fatal("masked")
	}
	if n != uint64(len(rest)) {
		t.Fatalf("length %d of %d bytes", n, len(rest))
	}
	return string(rest)
}

func TestFramesOfEveryLength(t *testing.T) {
	for _, size := range []int{0, 1, 50, 125 - 100, 125, 126, 1000, 65535 - 200, 65400, 65535, 65536, 70000} {
		e := &streams.Event{ID: testID, Text: true, Data: bytes.Repeat([]byte("a"), size)}
		var got struct{ Text string }
		if err := json.Unmarshal([]byte(unframe(t, wsFrame(e, "c"))), &got); err != nil || len(got.Text) != size {
			t.Errorf("%d bytes came back as %d: %v", size, len(got.Text), err)
		}
	}
	for n := range 70000 {
		header := appendFrameHeader(nil, opText, n)
		if len(header) != frameHeaderSize(header) {
			t.Fatalf("the header for %d bytes has %d", n, len(header))
		}
	}
}

func TestGapJSON(t *testing.T) {
	gap := streams.Gap{Channel: "c", After: streams.ID{Ms: 1, N: 2}, Last: streams.ID{Ms: 3, N: 6}, Resumed: streams.ID{Ms: 4, N: 7}, Missed: 4, Reason: streams.Trimmed}
	const want = `"channel":"c","after":"1-2","last_event_id":"3-6","resumed_at":"4-7","missed":4,"reason":"trimmed"}`
	if got := string(appendGap(nil, &gap, false)); got != "{"+want {
		t.Error(got)
	}
	if got := string(appendGap(nil, &gap, true)); got != `{"type":"gap",`+want {
		t.Error(got)
	}
	unknown := streams.Gap{Channel: "c", Last: streams.ID{Ms: 3}, Missed: streams.MissedUnknown, Reason: streams.Unknown}
	if got := string(appendGap(nil, &unknown, false)); got != `{"channel":"c","after":null,"last_event_id":"3-0","resumed_at":null,"missed":null,"reason":"unknown"}` {
		t.Error(got)
	}
}

// dispatched is what an EventSource dispatches.
type dispatched struct{ event, data, id string }

// parseSSE interprets a stream as the HTML standard says (section 9.2.6), with
// no code of the hub: lines end with LF, CR LF or CR; a field's value loses one
// leading space; a block without data dispatches nothing.
func parseSSE(stream string) (messages []dispatched) {
	stream = strings.TrimPrefix(stream, "\ufeff")
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	lines := strings.Split(stream, "\n")
	var m dispatched
	var data []string
	id := ""
	for _, line := range lines[:len(lines)-1] { // what follows the last line end is no line yet
		if line == "" {
			if data != nil {
				m.data, m.id = strings.Join(data, "\n"), id
				if m.event == "" {
					m.event = "message"
				}
				messages = append(messages, m)
			}
			m, data = dispatched{}, nil
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "event":
			m.event = value
		case "data":
			data = append(data, value)
		case "id":
			if !strings.Contains(value, "\x00") {
				id = value
			}
		}
	}
	return messages
}

// FuzzSSE checks that whatever was published comes out of an independent
// parser as it went in, in one message.
func FuzzSSE(f *testing.F) {
	f.Add("message", "a\nb", uint64(1))
	f.Add(" moved", " a\n\n:b\nid: 1\r\ndata:x\u2028", uint64(0))
	f.Add("é", "", uint64(1<<40))
	f.Fuzz(func(t *testing.T, event, data string, number uint64) {
		kind, err := eventType(event)
		if err != nil || !utf8.ValidString(data) {
			t.Skip()
		}
		e := &streams.Event{Type: kind, Text: true, Data: []byte(data)}
		id := ""
		if number > 0 {
			e.ID = streams.ID{Ms: 7, N: number}
			id = e.ID.String()
		}
		if event == "" {
			event = "message"
		}
		data = strings.ReplaceAll(strings.ReplaceAll(data, "\r\n", "\n"), "\r", "\n")
		stream := string(sseBlock(e))
		got := parseSSE(stream)
		if len(got) != 1 || got[0] != (dispatched{event, data, id}) {
			t.Fatalf("%q was read as %q", stream, got)
		}
		if parts := strings.Split(stream, "\n"); id != "" && parts[len(parts)-3] != "id: "+id {
			t.Fatalf("the ID does not come last: %q", stream)
		}
	})
}

// FuzzEnvelope checks that encoding/json reads an envelope as what was
// published, and JSON data byte for byte, on both transports.
func FuzzEnvelope(f *testing.F) {
	f.Add("c", "moved", `{"n":1e400,"m":123456789012345678901234567890}`, "alice", false, uint64(1))
	f.Add("c", "", "a\u2028\x00\x7f\"\\\n", "é\xff", true, uint64(0))
	f.Add("c", "x", "[\n1 ,\n2]", "", false, uint64(1<<61))
	f.Fuzz(func(t *testing.T, channel, event, data, from string, text bool, number uint64) {
		if !utf8.ValidString(data) || !text && !json.Valid([]byte(data)) || strings.Contains(data, "\r") {
			t.Skip()
		}
		e := &streams.Event{Type: event, Data: []byte(data), Text: text, From: from}
		if number > 0 {
			e.ID = streams.ID{Ms: 1732137600123, N: number}
		}
		b := envelope(e, channel)
		if !utf8.Valid(b) && utf8.ValidString(channel+event+from) {
			t.Fatalf("not UTF-8: %q", b)
		}
		var got struct {
			Type, Channel, Event, From string
			ID, Time, Text             *string
			Data                       json.RawMessage
		}
		decodeAll(t, string(b), &got)
		if event == "" {
			event = "message"
		}
		clean := func(s string) string { return string([]rune(s)) } // U+FFFD for what is no UTF-8
		if got.Type != "event" || got.Channel != clean(channel) || got.Event != clean(event) || got.From != clean(from) {
			t.Fatalf("%q was read as %+v", b, got)
		}
		if (got.ID != nil) != (number > 0) || number > 0 && (*got.ID != e.ID.String() || *got.Time != "2024-11-20T21:20:00.123Z") {
			t.Fatalf("%q: ID or time", b)
		}
		if text && (got.Text == nil || *got.Text != data || got.Data != nil) {
			t.Fatalf("%q: text", b)
		}
		if !text && (got.Text != nil || !bytes.Equal(got.Data, bytes.Trim([]byte(data), " \n\t"))) {
			t.Fatalf("%q: data %q", b, got.Data)
		}
		over := parseSSE(string(appendSSE(nil, "", b, []byte("x"))))
		if len(over) != 1 || over[0].data != string(b) {
			t.Fatalf("%q came over SSE as %q", b, over)
		}
	})
}

func TestFormsAreEncodedOnce(t *testing.T) {
	n := startNode(t, demo)
	sub, err := n.broker.Subscribe(t.Context(), "c", streams.Now(), streams.NewSignal())
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	publishNumbers(t, n, "c", 0, 1)
	var e *streams.Event // as the tail holds it
	eventually(t, "the event comes", func() bool {
		for _, e = range sub.Next(nil, 1).Events {
		}
		return e != nil
	})
	block, frame := sseBlock(e), wsFrame(e, "c")
	if &block[0] != &sseBlock(e)[0] || &frame[0] != &wsFrame(e, "c")[0] {
		t.Error("encoded again")
	}
	if n := testing.AllocsPerRun(100, func() { wsFrame(e, "c"); envelope(e, "c"); sseBlock(e) }); n != 0 {
		t.Errorf("%v allocations for what is there", n)
	}
}
