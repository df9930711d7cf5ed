// Package client publishes to a Runnel hub and subscribes to its channels.
//
// Begin with [New]. [Client.Publish] and [Client.PublishBatch] return once the
// hub's log has the events: they repeat what failed in passing, with the same
// idempotency key, so that nothing is lost or doubled while a hub restarts.
// [Client.Subscribe] calls back each event in order, and goes on from the last
// event its handler has returned from, over cut connections, restarts and
// other nodes, until its context ends. What a hub can no longer deliver comes
// as a [Gap]; nothing is left out in silence.
//
// Errors of the hub are of type [*Error] and compare by code:
// errors.Is(err, client.ErrForbidden).
//
// Not in this package: WebSocket, presence and reading pages of history.
package client
