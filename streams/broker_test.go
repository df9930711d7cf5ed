package streams_test

import (
	"fmt"
	"testing"
	"time"

	"runnel/streams"
)

func TestBrokerDeliversLiveAndResumes(t *testing.T) {
	log := streams.NewMemory(0)
	defer log.Close()
	b := streams.NewBroker(streams.BrokerOptions{Log: log, Node: "a"})
	defer b.Close()
	sig := streams.NewSignal()
	sub, err := b.Subscribe(t.Context(), "news", streams.Now(), sig)
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	base := sub.Position()
	var ids []streams.ID
	for i := range 100 {
		r, err := b.Publish(t.Context(), "news", streams.Draft{Data: fmt.Append(nil, i)})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, r[0].ID)
	}
	read := func(sub *streams.Subscription, sig streams.Signal) (got []streams.ID) {
		deadline := time.After(5 * time.Second)
		for len(got) < 100 {
			batch := sub.Next(nil, 1000)
			for _, e := range batch.Events {
				got = append(got, e.ID)
			}
			if batch.Gap != nil {
				t.Fatal(*batch.Gap)
			}
			if !sub.Due() {
				select {
				case <-sig:
				case <-deadline:
					t.Fatalf("got %d", len(got))
				}
			}
		}
		return got
	}
	if got := read(sub, sig); fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Fatal(got)
	}
	again, err := b.Subscribe(t.Context(), "news", streams.After(base), sig)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := read(again, sig); fmt.Sprint(got) != fmt.Sprint(ids) {
		t.Fatal(got)
	}
}
