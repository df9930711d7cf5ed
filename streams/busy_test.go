package streams

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// busyNames is the channels that sweeps look at, after the next sweep.
func busyNames(b *Broker) (names []string) {
	time.Sleep(tailSweepEvery + time.Second)
	synctest.Wait()
	for _, c := range b.busy.all() {
		names = append(names, c.name)
	}
	slices.Sort(names)
	return names
}

// TestQuietChannels: sweeps look at channels that hold events, whose readers
// are not at the end, or that nobody reads; at no others.
func TestQuietChannels(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		subscribe := func(name string) *Subscription {
			s, err := b.Subscribe(t.Context(), name, Now(), NewSignal())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		is := func(when string, want ...string) {
			t.Helper()
			if got := busyNames(b); !slices.Equal(got, want) {
				t.Errorf("%s, busy are %v, want %v", when, got, want)
			}
		}
		waits, stands := subscribe("waits"), subscribe("stands")
		waits.Next(nil, 1)
		is("with a reader that has not asked yet", "stands")
		stands.Next(nil, 1)
		is("when all wait")
		for _, name := range []string{"waits", "stands"} {
			drafts := []Draft{{Data: []byte("1")}, {Data: []byte("2")}}
			if _, err := b.Publish(t.Context(), name, drafts...); err != nil {
				t.Fatal(err)
			}
		}
		before := waits.Next(nil, 1<<20).From
		is("when tails hold events", "stands", "waits")
		time.Sleep(2 * time.Minute)
		is("when events are old and one reader did not read them", "stands")
		if lag := b.Lag(); lag != 2 {
			t.Errorf("the lag is %d, want 2", lag)
		}
		waits.Seek(before, nil)
		is("when a reader goes back", "stands", "waits")
		waits.Close()
		stands.Close()
		time.Sleep(time.Minute)
		is("when nobody reads")
		if n := b.Stats().Channels; n > 0 {
			t.Errorf("%d channels are followed", n)
		}
	})
}
