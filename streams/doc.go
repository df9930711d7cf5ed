// Package streams keeps channels: ordered logs of events that any number of
// subscribers read, each at its own position.
//
// Begin with [NewBroker] over a [Log] ([NewMemory], [OpenBolt] or
// [OpenRedis]); publish with [Broker.Publish], read with [Broker.Subscribe]
// and [Subscription.Next]. A subscription is a cursor, not a queue: Next says
// what follows its position, from the tail that the node keeps of each
// followed channel, else from a page of history that the log was asked for,
// else nothing yet. Live delivery, resuming, catching up and reading slowly
// are that one question.
//
// What holds, whatever happens:
//
//  1. The log alone assigns IDs; an appended event never changes.
//  2. A subscription delivers a channel's events in ID order, each at most
//     once, and never skips one without a [Gap] that says so.
//  3. A publisher never waits for a subscriber, and no subscriber waits for
//     another.
//  4. When Publish returns an ID the log has the event, and nobody got it
//     earlier. An unknown outcome is an error of its own.
//  5. Memory is bounded by configuration, whatever clients do.
//  6. Every goroutine has an owner that waits for its end.
//
// The package knows nothing of HTTP, users or rights.
package streams
