package server

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/time/rate"

	"runnel/streams"
)

// Limits bound what clients may ask of a node. [DefaultLimits] has the
// defaults; change what differs.
type Limits struct {
	// Data is how many bytes one event's data may have: 64 KiB. Every
	// subscriber's connection and every tail carries it; larger things belong
	// behind a URL.
	Data int
	// Batch is how many bytes a batch may have: 1 MiB. It is held in memory
	// whole, for some items can be bad and the rest are not to wait for it.
	Batch int
	// BatchItems is how many items a batch may have: 1,000. It bounds what one
	// request makes the log do.
	BatchItems int

	// FeedChannels is how many channels an SSE feed may have: 32, for the
	// cursor has to fit into a header. No more than [streams.MaxCursor].
	FeedChannels int
	// SocketChannels is how many channels a WebSocket may subscribe to: 64.
	// It bounds the memory that one connection can take.
	SocketChannels int

	// Files is how many files the process may have open; 0: what the system
	// says. Each connection takes one.
	Files int
	// Connections is how many feeds a node carries; 0: as many as the limit of
	// open files leaves room for.
	Connections int
	// ConnectionsPerIP is how many feeds one address has, 500: an office behind
	// it shares them, and one machine still cannot take the node for itself. Of
	// connections it has a quarter more. 0: no limit.
	ConnectionsPerIP int
	// ConnectionsPerUser is 20: a person's tabs and devices, where the next
	// one is more likely a loop that reconnects. 0: no limit.
	ConnectionsPerUser int

	// RequestsAtOnce is how many requests of a user may be under way: 10,
	// more than a browser sends at a time to one host. Feeds and long-polls
	// count as connections instead.
	RequestsAtOnce int
	// MessageRate is how many messages a second a WebSocket, or requests a
	// user, may send for long: 20, more than anybody types or moves a pointer
	// usefully.
	MessageRate rate.Limit
	// MessageBurst is how many it may send at once: 40, for a page that
	// subscribes to everything as it opens.
	MessageBurst int
	// MessageRefusals is after how many refused in a row it is closed: 100.
	// Before that a client that listens to its errors can still slow down.
	MessageRefusals int

	// AuthWait is how long a WebSocket may take to authenticate: 5 s. Until
	// then it is a connection that anybody can open.
	AuthWait time.Duration
	// HeaderWait is how long a request's header, or a TLS handshake, may take:
	// 10 s. Slower is an attack that holds connections with a byte now and then.
	HeaderWait time.Duration
	// BodyWait is how long a request's body, or a WebSocket's message, may take:
	// 30 s, a batch over a bad mobile link; the same attack is made with bodies.
	BodyWait time.Duration
	// AnswerWait is how long an answer may take to leave, of a page of history
	// each 64 KiB: 60 s, for a bad mobile link. Feeds have Pace.Silence instead.
	AnswerWait time.Duration
	// IdleWait is how long a connection may stand without a request: 75 s,
	// above the 60 s after which proxies drop theirs, so that they do it first.
	IdleWait time.Duration
	// HeaderBytes is how long a request's header may be: 16 KiB, for tokens,
	// a cursor of 1 KiB and the cookies of the site around it.
	HeaderBytes int
	// PublishWait is how long a publish waits for the log: 15 s. Then it is
	// answered that it failed or that nobody knows, before proxies give up at
	// 30 to 60.
	PublishWait time.Duration
}

// DefaultLimits returns the limits that Runnel has unless it is told others.
func DefaultLimits() Limits {
	return Limits{
		Data: 64 << 10, Batch: 1 << 20, BatchItems: 1000,
		FeedChannels: streams.MaxCursor, SocketChannels: 64,
		ConnectionsPerIP: 500, ConnectionsPerUser: 20, RequestsAtOnce: 10,
		MessageRate: 20, MessageBurst: 40, MessageRefusals: 100,
		AuthWait: 5 * time.Second, HeaderWait: 10 * time.Second, BodyWait: 30 * time.Second, AnswerWait: time.Minute, IdleWait: 75 * time.Second,
		HeaderBytes: 16 << 10, PublishWait: 15 * time.Second,
	}
}

// check refuses limits that would refuse everything or protect from nothing.
func (l *Limits) check() error {
	for _, limit := range []struct {
		name  string
		value int64
	}{
		{"Data", int64(l.Data)}, {"Batch", int64(l.Batch)}, {"BatchItems", int64(l.BatchItems)},
		{"FeedChannels", int64(l.FeedChannels)}, {"SocketChannels", int64(l.SocketChannels)},
		{"RequestsAtOnce", int64(l.RequestsAtOnce)},
		{"MessageBurst", int64(l.MessageBurst)}, {"MessageRefusals", int64(l.MessageRefusals)},
		{"AuthWait", int64(l.AuthWait)}, {"HeaderWait", int64(l.HeaderWait)}, {"BodyWait", int64(l.BodyWait)},
		{"AnswerWait", int64(l.AnswerWait)},
		{"IdleWait", int64(l.IdleWait)}, {"HeaderBytes", int64(l.HeaderBytes)}, {"PublishWait", int64(l.PublishWait)},
	} {
		if limit.value <= 0 {
			return fmt.Errorf("server: Limits.%s has to be above 0", limit.name)
		}
	}
	if l.FeedChannels > streams.MaxCursor {
		return fmt.Errorf("server: Limits.FeedChannels is at most %d", streams.MaxCursor)
	}
	if l.MessageRate <= 0 || l.Files < 0 || l.Connections < 0 || l.ConnectionsPerIP < 0 || l.ConnectionsPerUser < 0 {
		return errors.New("server: a limit is negative, or MessageRate 0")
	}
	return nil
}

// messageLimit counts the messages that one connection sends. It is made with
// the connection's first message: most only listen.
type messageLimit struct {
	limiter  *rate.Limiter
	refusals int // in a row
	most     int
}

func (s *Server) newMessageLimit() *messageLimit {
	return &messageLimit{limiter: rate.NewLimiter(s.limits.MessageRate, s.limits.MessageBurst), most: s.limits.MessageRefusals}
}

// take returns nil when a message may be worked on now, else what the client
// is told; goOn is false when it was told too often, and is to be closed with
// the error's close code. For one goroutine.
func (m *messageLimit) take(now time.Time) (err *apiError, goOn bool) {
	if m.limiter.AllowN(now, 1) {
		m.refusals = 0
		return nil, true
	}
	m.refusals++
	return fault(codeRateLimited, "too many messages; slow down"), m.refusals < m.most
}
