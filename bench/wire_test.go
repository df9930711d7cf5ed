//go:build linux

package main

import (
	"bytes"
	"compress/flate"
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// reader returns a subscriber whose feed is open, and the socket that feeds
// it. t closes both.
func reader(t interface{ Cleanup(func()) }, l *loop, transport string) (*subscriber, int) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		panic(err)
	}
	c := &crowd{loop: l, hub: &hub{}, wire: newWire(transport, false)}
	s := &subscriber{crowd: c, fd: pair[0], stage: open, next: []uint32{1}}
	t.Cleanup(func() { unix.Close(pair[0]); unix.Close(pair[1]) })
	return s, pair[1]
}

// encoders make an event's bytes as hubs do.
var encoders = map[string][]func(b, data []byte, n int) []byte{
	"sse": {
		appendBlock,
		appendChunk,
		func(b, data []byte, n int) []byte { return append(appendBlock(b, data, n), ": quiet\n\n"...) },
	},
	"ws": {
		func(b, data []byte, _ int) []byte { return appendFrame(b, data) },
		func(b, data []byte, _ int) []byte { return appendCompressed(b, data) },
		func(b, data []byte, _ int) []byte { return append(appendFrame(b, data), 0x89, 2, 'h', 'i') },
	},
}

// appendCompressed appends a permessage-deflate frame, RFC 7692, section 7.2.1.
func appendCompressed(b, data []byte) []byte {
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, flate.BestSpeed)
	w.Write(data)
	w.Flush()
	at := len(b)
	b = appendFrame(b, bytes.TrimSuffix(z.Bytes(), []byte("\x00\x00\xff\xff")))
	b[at] |= compressed
	return b
}

// However the bytes are cut into reads, all events count, once and in order.
func TestAnyCutOfAStream(t *testing.T) {
	for _, transport := range []string{"sse", "ws"} {
		t.Run(transport, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				l, err := newLoop(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer l.close()
				s, feed := reader(t, l, transport)
				var stream []byte
				events := rapid.IntRange(1, 20).Draw(t, "events")
				for n := 1; n <= events; n++ {
					size := rapid.SampledFrom([]int{leastSize, 125, 256, 3000, 70_000}).Draw(t, "size")
					encode := rapid.SampledFrom(encoders[transport]).Draw(t, "form")
					stream = encode(stream, appendEvent(nil, mark{0, uint32(n), 0}, size), n)
				}
				for len(stream) > 0 {
					n, err := unix.Write(feed, stream[:rapid.IntRange(1, min(len(stream), 50_000)).Draw(t, "piece")])
					if err != nil && !errors.Is(err, unix.EAGAIN) {
						t.Fatal(err)
					}
					stream = stream[max(n, 0):]
					if err := s.read(); err != nil {
						t.Fatal(err)
					}
				}
				tally := s.crowd.checked()
				if tally.Deliveries != int64(events) || tally.faults() != 0 {
					t.Fatalf("%+v, want %d events", tally, events)
				}
			})
		})
	}
}

// What is missing, doubled, out of order or astray is told apart.
func TestFaultsAreCounted(t *testing.T) {
	l, err := newLoop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	s, _ := reader(t, l, "sse")
	s.crowd.readers = []*subscriber{s}
	for _, m := range []mark{{0, 1, 0}, {0, 2, 0}, {0, 2, 0}, {0, 5, 0}, {0, 4, 0}, {1, 6, 0}, {0, 6, 0}} {
		s.take(m)
	}
	if err := s.crowd.settled([]uint32{8}, time.Millisecond); err != nil {
		t.Fatal(err)
	}
	got := s.crowd.checked()
	if want := (tally{Deliveries: 4, Lost: 2 + 2, Again: 2, Stray: 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestSocketAnswersPings(t *testing.T) {
	l, err := newLoop(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	s, feed := reader(t, l, "ws")
	if _, err := unix.Write(feed, []byte{0x89, 2, 'h', 'i'}); err != nil {
		t.Fatal(err)
	}
	if err := s.read(); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 16)
	n, err := unix.Read(feed, answer)
	if want := []byte{0x8a, 0x82, 0, 0, 0, 0, 'h', 'i'}; err != nil || !slices.Equal(answer[:n], want) {
		t.Errorf("%v, %v, want %v", answer[:max(n, 0)], err, want)
	}
	unix.Write(feed, []byte{0x88, 2, 0x03, 0xe9})
	if err := s.read(); err == nil {
		t.Error("a close frame is no error")
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, []byte("hello")))
	f.Add(appendFrame(nil, make([]byte, 300)))
	f.Add([]byte("\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if head, size, ok := frame(b); ok && (head < 2 || size < 0 || head+size > len(b)) {
			t.Fatalf("%d + %d of %d bytes", head, size, len(b))
		}
	})
}
