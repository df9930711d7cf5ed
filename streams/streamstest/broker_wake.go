package streamstest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"runnel/streams"
)

var wakeTests = map[string]func(fixture){
	"wake/contract": func(f fixture) { f.testWake(streams.BrokerOptions{}) },
	"wake/behind":   func(f fixture) { f.testWake(streams.BrokerOptions{TailEvents: 5}) },
	"wake/pressed":  func(f fixture) { f.testWake(streams.BrokerOptions{Memory: 1}) },
}

// counted is a waiter that counts how often it is woken.
type counted chan struct{}

func (c counted) Wake(*streams.Subscription) { c <- struct{}{} }

// testWake has readers rely on nothing but the contract: one wake-up after
// each Next that returned Current or nothing, none besides.
func (f fixture) testWake(o streams.BrokerOptions) {
	const publishers, each, readers = 6, 100, 12
	b := f.broker(o)
	var all sync.WaitGroup
	for range readers {
		woken := make(counted, 1<<16) // Wake must not block
		sub, err := b.Subscribe(f.ctx, "a", streams.Now(), woken)
		if err != nil {
			f.Fatalf("Subscribe: %v", err)
		}
		all.Go(func() {
			defer sub.Close()
			if err := obey(sub, woken, publishers*each); err != nil {
				f.Errorf("%v", err)
			}
		})
	}
	for range publishers {
		all.Go(func() {
			for i := range each {
				d := text("x")
				d.Ephemeral = i%9 == 0 && o.Memory == 0
				drafts := []streams.Draft{d}
				if d.Ephemeral {
					drafts = append(drafts, text("x"))
				}
				if _, err := b.Publish(f.ctx, "a", drafts...); err != nil {
					f.Errorf("Publish: %v", err)
				}
			}
		})
	}
	all.Wait()
}

// obey reads until so many stored events came.
func obey(sub *streams.Subscription, woken counted, events int) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	stored, waits := 0, 0
	for at := sub.Position(); stored < events; {
		b := sub.Next(nil, 1+rand.N(3000))
		if b.Gap != nil {
			return fmt.Errorf("a gap: %+v", *b.Gap)
		}
		for _, e := range b.Events {
			if e.Ephemeral() {
				continue
			}
			if e.Prev != at {
				return fmt.Errorf("%v (prev %v) after %v", e.ID, e.Prev, at)
			}
			at = e.ID
			stored++
		}
		if !b.Empty() && !b.Current || stored >= events {
			continue
		}
		waits++
		select {
		case <-woken:
			if !sub.Due() {
				return errors.New("woken, and nothing is due")
			}
		case <-over.C:
			return fmt.Errorf("not woken: %d events, waited %d times", stored, waits)
		}
		if extra := len(woken); extra > 0 {
			return fmt.Errorf("woken %d times more than it waited", extra)
		}
	}
	return nil
}
