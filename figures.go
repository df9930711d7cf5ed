package main

import (
	"context"
	"encoding/json"
	"runtime"
	"syscall"
	"time"

	"runnel/streams"
)

// figures is what the hub publishes about itself every second in demo mode.
type figures struct {
	Connections         int     `json:"connections"`
	SSE                 int     `json:"sse"`
	WebSocket           int     `json:"websocket"`
	DeliveriesPerSecond float64 `json:"deliveries_per_second"`
	PublishesPerSecond  float64 `json:"publishes_per_second"`
	MemoryBytes         uint64  `json:"memory_bytes"`
	CPUPercent          float64 `json:"cpu_percent"`
	Goroutines          int     `json:"goroutines"`
	Channels            int     `json:"channels"`
	Subscriptions       int     `json:"subscriptions"`
	UptimeSeconds       int     `json:"uptime_seconds"`
}

// publishFigures publishes the node's figures until ctx ends. A log that is
// away is none of its business: the next second brings new ones.
func (n *node) publishFigures(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	channel := "$node:" + n.name
	before := n.measure()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now := n.measure()
		data, err := json.Marshal(now.since(before))
		if err != nil {
			n.log.Error("figures", "cause", err)
			return
		}
		before = now
		_, _ = n.broker.Publish(ctx, channel, streams.Draft{Data: data})
	}
}

// measurement is figures and the counters from which rates come.
type measurement struct {
	figures
	at                    time.Time
	deliveries, publishes uint64
	cpu                   time.Duration
}

func (n *node) measure() measurement {
	s := n.server.Stats()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return measurement{
		at: time.Now(), deliveries: s.Deliveries, publishes: s.Publishes, cpu: cpuTime(),
		figures: figures{
			Connections: s.Connections, SSE: s.SSE, WebSocket: s.WebSocket,
			MemoryBytes: memory.Sys - memory.HeapReleased, Goroutines: runtime.NumGoroutine(),
			Channels: s.Channels, Subscriptions: s.Subscriptions, UptimeSeconds: int(s.Uptime.Seconds()),
		},
	}
}

// since fills in the rates.
func (m measurement) since(before measurement) figures {
	f, seconds := m.figures, m.at.Sub(before.at).Seconds()
	f.DeliveriesPerSecond = round(float64(m.deliveries-before.deliveries) / seconds)
	f.PublishesPerSecond = round(float64(m.publishes-before.publishes) / seconds)
	f.CPUPercent = round(100 * (m.cpu - before.cpu).Seconds() / seconds)
	return f
}

func round(v float64) float64 { return float64(int64(v*10+0.5)) / 10 }

// cpuTime is what the process has used of the processors.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
