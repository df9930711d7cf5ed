package server

import (
	"maps"
	"runtime"
	"sync"
	"syscall"
	"time"

	"runnel/streams"
)

// Figures are a node at a glance: what GET /node answers, and what the node
// publishes to its channel $node:<node>. Counters count from its start.
type Figures struct {
	Node          string `json:"node"`
	Version       string `json:"version"`
	Store         string `json:"store"`
	Draining      bool   `json:"draining"`
	UptimeSeconds int    `json:"uptime_seconds"`

	Connections   int   `json:"connections"` // feeds, waiting long-polls and publish streams
	SSE           int   `json:"sse"`
	WebSocket     int   `json:"websocket"`
	Poll          int   `json:"poll"`
	Subscriptions int   `json:"subscriptions"`
	Channels      int   `json:"channels"`   // followed
	TailBytes     int64 `json:"tail_bytes"` // in tails and pages of history

	PublishesPerSecond  float64 `json:"publishes_per_second"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second"`
	Publishes           uint64  `json:"publishes"` // that clients made; the hub's own are not counted
	Deliveries          uint64  `json:"deliveries"`

	Lag           uint64                    `json:"lag"`     // events by which the slowest reader is behind
	Resumes       uint64                    `json:"resumes"` // that went on without a gap
	Gaps          map[streams.Reason]uint64 `json:"gaps"`    // resumes that began with one
	Errors        map[string]uint64         `json:"errors"`  // answers by code, those alone that there were
	LogErrors     uint64                    `json:"log_errors"`
	WriteTimeouts uint64                    `json:"write_timeouts"`

	MemoryBytes uint64  `json:"memory_bytes"`
	CPUPercent  float64 `json:"cpu_percent"` // of one processor
	Goroutines  int     `json:"goroutines"`
}

// figuresAge is how old figures may be: rates over less time jump about, and
// each look costs a look at every reader.
const figuresAge = 500 * time.Millisecond

// meter remembers the last figures, for the rates of the next.
type meter struct {
	mu   sync.Mutex
	at   time.Time
	cpu  time.Duration
	last Figures
}

// Figures returns the node's figures, at most half a second old. Rates are
// those since the figures before, so somebody should ask about every second.
func (s *Server) Figures() Figures {
	m := &s.meter
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if now.Sub(m.at) < figuresAge {
		return m.last
	}
	f, cpu := s.look(), cpuTime()
	if seconds := now.Sub(m.at).Seconds(); !m.at.IsZero() {
		f.PublishesPerSecond = tenths(float64(f.Publishes-m.last.Publishes) / seconds)
		f.DeliveriesPerSecond = tenths(float64(f.Deliveries-m.last.Deliveries) / seconds)
		f.CPUPercent = tenths(100 * (cpu - m.cpu).Seconds() / seconds)
	}
	m.at, m.cpu, m.last = now, cpu, f
	return f
}

// look is the figures without rates.
func (s *Server) look() Figures {
	broker := s.broker.Stats()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return Figures{
		Node: s.node, Version: s.version, Store: s.store,
		Draining: s.draining(), UptimeSeconds: int(s.uptime().Seconds()),
		Connections: s.admissions.count(), SSE: int(s.open.sse.Load()),
		WebSocket: int(s.open.websocket.Load()), Poll: int(s.open.poll.Load()),
		Subscriptions: broker.Subscriptions, Channels: broker.Channels, TailBytes: broker.Held,
		Publishes: s.metrics.taken.Load(), Deliveries: s.hub.delivered(),
		Lag: s.broker.Lag(), Resumes: broker.ResumedExact, Gaps: broker.ResumedGap,
		Errors: s.metrics.errors(), LogErrors: broker.LogErrors, WriteTimeouts: uint64(s.hub.vanished.Load()),
		MemoryBytes: memory.Sys - memory.HeapReleased, Goroutines: runtime.NumGoroutine(),
	}
}

// errors is how many answers had each code, those with none left out.
func (m *metrics) errors() map[string]uint64 {
	codes := map[string]uint64{}
	for code, n := range m.answered {
		codes[code] = n.Load()
	}
	maps.DeleteFunc(codes, func(_ string, n uint64) bool { return n == 0 })
	return codes
}

func tenths(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

// cpuTime is what the process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
