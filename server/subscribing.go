package server

import (
	"context"
	"time"

	"runnel/streams"
)

// followWait is how long a new feed, or a page, waits for the log to say where
// its channels stand: the client is better off trying again than waiting on.
const followWait = 5 * time.Second

// subscribeAll subscribes to all of the channels, or to none. The caller closes
// the subscriptions.
func (s *Server) subscribeAll(ctx context.Context, channels []string, start beginning, w streams.Waiter) (subs []*streams.Subscription, err error) {
	ctx, cancel := context.WithTimeout(ctx, followWait)
	defer cancel()
	for _, channel := range channels {
		sub, err := s.broker.Subscribe(ctx, channel, start.of(channel), w)
		if err != nil {
			closeAll(subs)
			return nil, err
		}
		subs = append(subs, sub)
	}
	return subs, nil
}

func closeAll(subs []*streams.Subscription) {
	for _, sub := range subs {
		sub.Close()
	}
}
