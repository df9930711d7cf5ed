package server

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"runnel/streams"
)

// mute is a log that does not say where channels stand.
type mute struct{ streams.Log }

func (mute) Heads(context.Context, []string) ([]streams.Head, error) {
	return nil, streams.ErrUnavailable
}

// TestPollsDoNotWaitForTheLog: how long a client waits for an event is not how
// long it waits for a log that is away.
func TestPollsDoNotWaitForTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := streams.NewMemory(0)
		defer log.Close()
		broker := streams.NewBroker(streams.BrokerOptions{Log: mute{log}, Node: "n"})
		defer broker.Close()
		s, began := &Server{broker: broker}, time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), historyWait+maxPoll)
		defer cancel()
		_, err := s.newPager(ctx, "", []string{"a", "b"}, beginning{})
		if took := time.Since(began); !errors.Is(err, streams.ErrUnavailable) || took != followWait {
			t.Errorf("%v after %v", err, took)
		}
	})
}
