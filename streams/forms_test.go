package streams

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestFormsCountInTheBudget: what stands encoded of a tail's events counts with
// them, nothing more is kept than there is room for, and all of it is given
// back with the events. In a bubble no sweep finds anything old meanwhile.
func TestFormsCountInTheBudget(t *testing.T) {
	const budget = 1 << 20
	inBubble(t, BrokerOptions{Memory: budget}, func(t *testing.T, b *Broker, _ *frail) {
		s, _ := subscribe(t, b, Now())
		s.Next(nil, 1)
		for range 20 {
			publish(t, b, strings.Repeat("\x01", 10<<10))
		}
		synctest.Wait()
		events := s.Next(nil, 1<<20).Events
		if len(events) != 20 {
			t.Fatalf("%d events", len(events))
		}
		encodeAll(t, events)
		synctest.Wait()
		kept := keptForms(events)
		if held := b.held.Load(); held > budget || kept < budget/4 || int64(kept) > held {
			t.Errorf("%d bytes are held of %d, %d of them encoded", held, budget, kept)
		}
		s.Close()
		time.Sleep(time.Minute)
		// Whoever still has an event keeps nothing of it any more.
		encodeAll(t, events)
		if held := b.held.Load(); held != 0 {
			t.Errorf("in the end %d bytes are held", held)
		}
	})
}

// encodeAll has several at once ask for all forms of the events.
func encodeAll(t *testing.T, events []*Event) {
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
}

// keptForms is how many bytes of the events stand encoded.
func keptForms(events []*Event) (bytes int) {
	for _, e := range events {
		for i := range e.forms {
			if form := e.forms[i].Load(); form != nil {
				bytes += len(*form)
			}
		}
	}
	return bytes
}
