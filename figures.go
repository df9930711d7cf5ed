package main

import (
	"context"
	"encoding/json"
	"time"

	"runnel/streams"
)

// announceEvery is how often a node says in the channel $nodes that it is
// there, by an ephemeral event: who has not been heard of for three times as
// long is gone.
const announceEvery = 3 * time.Second

// publishFigures publishes the node's figures every second to $node:<node>,
// and announces the node, until ctx ends. A log that is away is none of its
// business: the next second brings new ones. They are for the living: a store
// that outlives the node keeps none of them, nor a channel for each node there
// ever was.
func (n *node) publishFigures(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	announce := time.NewTicker(announceEvery)
	defer announce.Stop()
	n.publishOwn(ctx, "$nodes", true, announcement{n.name, version()})
	for {
		select {
		case <-ctx.Done():
			return
		case <-announce.C:
			n.publishOwn(ctx, "$nodes", true, announcement{n.name, version()})
		case <-tick.C:
			n.publishOwn(ctx, "$node:"+n.name, n.store.durable, n.server.Figures())
		}
	}
}

// announcement is what other nodes' operators learn of a node.
type announcement struct {
	Node    string `json:"node"`
	Version string `json:"version"`
}

// publishOwn publishes to a channel of the hub's own.
func (n *node) publishOwn(ctx context.Context, channel string, ephemeral bool, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		n.log.Error("figures", "cause", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, announceEvery)
	defer cancel()
	_, _ = n.broker.Publish(ctx, channel, streams.Draft{Data: data, Ephemeral: ephemeral})
}
