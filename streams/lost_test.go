package streams

import (
	"context"
	"slices"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// A message that was lost without a sign is found by the next one, and without
// one by the background check.
func TestLostMessage(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.deaf.Store(true)
		publish(t, b, "1")
		texts, _ := drain(s, signal)
		wantTexts(t, texts)
		log.deaf.Store(false)
		publish(t, b, "2")
		texts, _ = drain(s, signal)
		wantTexts(t, texts, "1", "2")

		log.deaf.Store(true)
		publish(t, b, "3")
		texts, _ = drain(s, signal)
		wantTexts(t, texts)
		time.Sleep(31 * time.Second)
		texts, gaps := drain(s, signal)
		if wantTexts(t, texts, "3"); len(gaps) > 0 {
			t.Fatalf("%+v", gaps)
		}
	})
}

// Messages were lost, and of what they brought an event is gone.
func TestHoleUnderAFollower(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.deaf.Store(true)
		ids := publish(t, b, "1", "2", "3", "4", "5")
		log.tamper(func(c *memoryChannel) { c.events = slices.Delete(c.events, 2, 3) })
		time.Sleep(31 * time.Second)
		texts, gaps := drain(s, signal)
		want := Gap{Channel: "a", After: ids[1], Last: ids[2], Resumed: ids[3], Missed: 1, Reason: Trimmed}
		if wantTexts(t, texts, "1", "2", "4", "5"); len(gaps) != 1 || gaps[0] != want {
			t.Fatalf("%+v, want %+v", gaps, want)
		}
	})
}

// More was missed than a page holds: the tail begins anew, readers do not
// notice.
func TestMuchLost(t *testing.T) {
	inBubble(t, BrokerOptions{Retention: func(string) Retention { return Retention{Count: 1 << 20, Age: time.Hour} }}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.deaf.Store(true)
		var want []string
		for range 3*pageEvents + 7 {
			publish(t, b, "x")
			want = append(want, "x")
		}
		log.deaf.Store(false)
		publish(t, b, "last")
		texts, gaps := drain(s, signal)
		if wantTexts(t, texts, append(want, "last")...); len(gaps) > 0 {
			t.Fatalf("%+v", gaps)
		}
	})
}

// The log says that nothing follows a position; before the reader hears of
// that, the tail moves past the position and forgets it again. The reader must
// not wait for an event that has been already.
func TestNotAsleepBehindTheTail(t *testing.T) {
	inBubble(t, BrokerOptions{TailEvents: 1, CheckEvery: time.Hour}, func(t *testing.T, b *Broker, log *frail) {
		open, signal := subscribe(t, b, Now())
		defer open.Close()
		drain(open, signal)
		log.hold()
		p := publish(t, b, "1")[0]
		s, signal := subscribe(t, b, After(p))
		if batch := s.Next(nil, 1000); batch.Current || !batch.Empty() {
			t.Fatalf("%+v", batch)
		}
		synctest.Wait() // the log has answered
		publish(t, b, "2", "3")
		log.letGo()
		texts, _ := drain(s, signal)
		wantTexts(t, texts, "2", "3")
	})
}

// TestSlowPagesKeepNobodyWaiting: who subscribes to a channel waits for word of
// that one alone, however long the log takes to read tails of others anew.
func TestSlowPagesKeepNobodyWaiting(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		subscribe := func(name string) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			s, err := b.Subscribe(ctx, name, Now(), NewSignal())
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			t.Cleanup(s.Close)
		}
		names := make([]string, 2*refreshAtOnce)
		for i := range names {
			names[i] = "behind" + strconv.Itoa(i)
			subscribe(names[i])
		}
		log.deaf.Store(true)
		log.slow.Store(true)
		for _, name := range names {
			if _, err := b.Publish(t.Context(), name, Draft{Data: []byte("1")}); err != nil {
				t.Fatal(err)
			}
			log.follower(name).Resync()
		}
		synctest.Wait()
		subscribe("new")
	})
}
