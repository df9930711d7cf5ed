//go:build linux

package main

import "time"

// load is events that are published for a while.
type load interface {
	// publish publishes for that long and until all of it has been delivered, so
	// that nothing of the cost falls behind the end.
	publish(time.Duration) error
	published() int64
	latencies() []*histogram // of the answers, by connection
}

// measured is what a load costs after the time for warming up.
func (r *run) measured(l load, warm, over time.Duration) (*outcome, error) {
	if err := l.publish(warm); err != nil {
		return nil, err
	}
	for _, h := range l.latencies() {
		*h = histogram{}
	}
	begin, err := r.usage()
	if err != nil {
		return nil, err
	}
	events := l.published()
	if err := l.publish(over); err != nil {
		return nil, err
	}
	used, err := r.since(begin)
	if err != nil {
		return nil, err
	}
	var answers histogram
	for _, h := range l.latencies() {
		answers.merge(h)
	}
	return publishOutcome(r, used, answers, float64(l.published()-events), over), nil
}

func publishOutcome(r *run, used usage, answers histogram, events float64, over time.Duration) *outcome {
	metrics := []metric{
		{Name: "publishes/s", Value: events / over.Seconds(), Ratio: true},
		{Name: "server CPU µs each", Value: micros(used.cpu) / events, Ratio: true},
	}
	if r.hub.redis != nil {
		metrics = append(metrics, metric{Name: "Redis CPU µs each", Value: micros(used.redis) / events})
	}
	return &outcome{Checked: r.crowd.checked(), Metrics: append(metrics,
		metric{Name: "answer p50 ms", Value: millis(answers.quantile(0.5))},
		metric{Name: "answer p99 ms", Value: millis(answers.quantile(0.99))})}
}
