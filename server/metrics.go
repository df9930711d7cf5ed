package server

import (
	"net/http"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"runnel/streams"
)

// metrics is what a node counts. No label holds a channel, a user or anything
// else that clients choose, so that clients cannot make it grow. What is
// counted often has its label looked up here, once.
type metrics struct {
	registry *prometheus.Registry

	latency latencies

	stored, ephemeral, failed prometheus.Counter // published events
	rejected                  *prometheus.CounterVec
	answered                  map[string]*atomic.Uint64 // the same, for Figures
	taken                     atomic.Uint64             // stored and ephemeral, for Figures
}

func newMetrics(s *Server) *metrics {
	m := &metrics{registry: prometheus.NewRegistry(), answered: map[string]*atomic.Uint64{}}
	publishes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "runnel_publishes_total", Help: "Events that clients published, by outcome."}, []string{"outcome"})
	m.rejected = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "runnel_rejected_total", Help: "Requests, batch items and messages answered with an error, by its code."}, []string{"reason"})
	m.stored, m.ephemeral, m.failed = publishes.WithLabelValues("stored"), publishes.WithLabelValues("ephemeral"), publishes.WithLabelValues("failed")
	for code := range manners {
		m.rejected.WithLabelValues(code)
		m.answered[code] = new(atomic.Uint64)
	}
	m.registry.MustRegister(publishes, m.rejected, newStateCollector(s, &m.latency),
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// publishes counts what became of drafts.
func (m *metrics) publishes(results []streams.Result, drafts []streams.Draft, err error) {
	if err != nil {
		m.failed.Add(float64(len(drafts)))
		return
	}
	for i, r := range results {
		switch {
		case r.Err != nil:
			m.failed.Inc()
		case drafts[i].Ephemeral:
			m.ephemeral.Inc()
			m.taken.Add(1)
		default:
			m.stored.Inc()
			m.taken.Add(1)
		}
	}
}

// reject counts an answer with that error code.
func (m *metrics) reject(code string) {
	m.rejected.WithLabelValues(code).Inc()
	if n := m.answered[code]; n != nil {
		n.Add(1)
	}
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// stateCollector asks the parts that count for themselves, once per scrape.
type stateCollector struct {
	server  *Server
	latency *latencies
	all     []*prometheus.Desc

	connections, deliveries, writeTimeouts             *prometheus.Desc
	delay, info, uptime, channels, subscriptions, held *prometheus.Desc
	resumes, historyReads, logErrors, reconnects, keys *prometheus.Desc
	turnedAway                                         *prometheus.Desc
}

func newStateCollector(s *Server, l *latencies) *stateCollector {
	c := &stateCollector{server: s, latency: l}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		d := prometheus.NewDesc("runnel_"+name, help, labels, nil)
		c.all = append(c.all, d)
		return d
	}
	c.connections = desc("connections", "Open feeds, waiting long-polls, publish streams.", "transport")
	c.turnedAway = desc("connections_turned_away_total", "Connections closed without an answer.", "reason")
	c.deliveries = desc("deliveries_total", "Events written to feeds.")
	c.writeTimeouts = desc("write_timeouts_total", "Feeds closed because the peer neither sent nor took a byte for too long.")
	c.delay = desc("publish_to_write_seconds", "From an event's time in the log to its write to a feed, of a sample.")
	c.info = desc("info", "What runs here; always 1.", "version", "node")
	c.uptime = desc("uptime_seconds", "Since the node started.")
	c.channels = desc("channels", "Channels that the node follows.")
	c.subscriptions = desc("subscriptions", "Open subscriptions.")
	c.held = desc("tail_bytes", "Bytes in tails and pages of history.")
	c.resumes = desc("resumes_total", "Subscriptions that began at a position: exact, or the reason of their gap.", "outcome")
	c.historyReads = desc("history_reads_total", "Pages of history asked of the log.")
	c.logErrors = desc("log_errors_total", "Calls of the log that failed.")
	c.keys = desc("api_key_uses_total", "Requests and WebSockets that came with an API key, by the name it is configured with.", "key")
	c.reconnects = desc("redis_reconnects_total", "Connections to Redis made anew.")
	return c
}

// Describe implements [prometheus.Collector].
func (c *stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.all {
		ch <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *stateCollector) Collect(ch chan<- prometheus.Metric) {
	s, stats := c.server, c.server.broker.Stats()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	count, sum, upTo := c.latency.histogram()
	ch <- prometheus.MustNewConstHistogram(c.delay, count, sum, upTo)
	send(c.connections, prometheus.GaugeValue, float64(s.open.sse.Load()), "sse")
	send(c.connections, prometheus.GaugeValue, float64(s.open.websocket.Load()), "websocket")
	send(c.connections, prometheus.GaugeValue, float64(s.open.poll.Load()), "poll")
	send(c.connections, prometheus.GaugeValue, float64(s.open.publish.Load()), "publish")
	away := s.places.counted()
	send(c.turnedAway, prometheus.CounterValue, float64(away.address), "address")
	send(c.turnedAway, prometheus.CounterValue, float64(away.files), "files")
	send(c.turnedAway, prometheus.CounterValue, float64(away.waiting), "waiting")
	send(c.deliveries, prometheus.CounterValue, float64(s.hub.delivered()))
	send(c.writeTimeouts, prometheus.CounterValue, float64(s.hub.vanished.Load()))
	send(c.info, prometheus.GaugeValue, 1, s.version, s.node)
	send(c.uptime, prometheus.GaugeValue, s.uptime().Seconds())
	send(c.channels, prometheus.GaugeValue, float64(stats.Channels))
	send(c.subscriptions, prometheus.GaugeValue, float64(stats.Subscriptions))
	send(c.held, prometheus.GaugeValue, float64(stats.Held))
	send(c.resumes, prometheus.CounterValue, float64(stats.ResumedExact), "exact")
	for reason, n := range stats.ResumedGap {
		send(c.resumes, prometheus.CounterValue, float64(n), string(reason))
	}
	send(c.historyReads, prometheus.CounterValue, float64(stats.HistoryReads))
	send(c.logErrors, prometheus.CounterValue, float64(stats.LogErrors))
	for name, n := range s.verifier.KeyUses() {
		send(c.keys, prometheus.CounterValue, float64(n), name)
	}
	send(c.reconnects, prometheus.CounterValue, float64(s.reconnects()))
}

// delivered is how many events the workers have written.
func (h *hub) delivered() (n uint64) {
	for _, w := range h.workers {
		n += w.tally.events.Load()
	}
	return n + h.wheel.worker.tally.events.Load()
}
