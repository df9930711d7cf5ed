package streams

import (
	"bytes"
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestFormsCountInTheBudget: what stands encoded of a tail's events counts with
// them, nothing more is kept than there is room for, and all of it is given
// back with the events.
func TestFormsCountInTheBudget(t *testing.T) {
	const budget = 1 << 20
	log := NewMemory(0)
	defer log.Close()
	b := NewBroker(BrokerOptions{Log: log, Node: "n", Memory: budget, Linger: 20 * time.Millisecond})
	defer b.Close()
	w := NewSignal()
	s, err := b.Subscribe(t.Context(), "c", Now(), w)
	if err != nil {
		t.Fatal(err)
	}
	s.Next(nil, 1)
	var events []*Event
	for i := range 20 {
		if _, err := b.Publish(t.Context(), "c", Draft{Data: fmt.Append(bytes.Repeat([]byte{1}, 10<<10), i), Text: true}); err != nil {
			t.Fatal(err)
		}
	}
	for len(events) < 20 {
		<-w
		events = append(events, s.Next(nil, 1<<20).Events...)
	}
	six := func(e *Event) []byte { return bytes.Repeat([]byte{2}, 6*len(e.Data)) }
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for _, e := range events {
				for form := range Forms {
					if got := e.Form(form, six); len(got) != 6*len(e.Data) {
						t.Errorf("a form of %d bytes", len(got))
					}
				}
			}
		})
	}
	workers.Wait()
	kept := 0
	for _, e := range events {
		for i := range e.forms {
			if form := e.forms[i].Load(); form != nil {
				kept += len(*form)
			}
		}
	}
	if held := b.held.Load(); held > budget || kept < budget/4 || int64(kept) > held {
		t.Errorf("%d bytes are held of %d, %d of them encoded", held, budget, kept)
	}
	s.Close()
	deadline := time.Now().Add(10 * time.Second)
	for b.held.Load() != 0 {
		if time.Now().After(deadline) {
			t.Fatalf("in the end %d bytes are held", b.held.Load())
		}
		time.Sleep(time.Millisecond)
	}
	// Whoever still has an event keeps nothing of it any more.
	if got := events[0].Form(0, six); len(got) == 0 || b.held.Load() != 0 {
		t.Errorf("%d bytes are held for an event that was let go", b.held.Load())
	}
}
