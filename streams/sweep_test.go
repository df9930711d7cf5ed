package streams

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestEphemeralLife(t *testing.T) {
	for after, want := range map[time.Duration][]string{
		ephemeralLife - time.Second: {"1", "~typing", "2"},
		ephemeralLife + time.Second: {"1", "2"},
	} {
		inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, _ *frail) {
			s, signal := subscribe(t, b, Now())
			drain(s, signal)
			publish(t, b, "1", "~typing", "2")
			time.Sleep(after)
			texts, gaps := drain(s, signal)
			if wantTexts(t, texts, want...); len(gaps) > 0 {
				t.Fatalf("%+v", gaps)
			}
		})
	}
}

// Who comes back within a page's life reads no page of its own.
func TestPageLife(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		base := ID{Ms: uint64(time.Now().UnixMilli())}
		publish(t, b, "1", "2", "3")
		open, _ := subscribe(t, b, Now())
		defer open.Close()
		comeBack := func() {
			s, signal := subscribe(t, b, After(base))
			texts, _ := drain(s, signal)
			wantTexts(t, texts, "1", "2", "3")
			s.Close()
		}
		comeBack()
		time.Sleep(pageLife / 2)
		comeBack()
		if n := log.ranges.Load(); n != 1 {
			t.Fatalf("%d pages were read", n)
		}
		if b.Stats().Held == 0 {
			t.Fatal("a page costs nothing")
		}
		time.Sleep(pageLife + tailSweepEvery)
		if held := b.Stats().Held; held != 0 {
			t.Fatalf("%d bytes are held", held)
		}
		comeBack()
		if n := log.ranges.Load(); n != 2 {
			t.Fatalf("%d pages were read", n)
		}
	})
}

// What a tail holds is given back after a while; readers that come later find
// it in the log.
func TestTailAge(t *testing.T) {
	inBubble(t, BrokerOptions{TailAge: time.Minute}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		late, lateSignal := subscribe(t, b, Now())
		drain(late, lateSignal)
		publish(t, b, "1", "2")
		drain(s, signal)
		time.Sleep(50 * time.Second)
		if b.Stats().Held == 0 || log.ranges.Load() != 0 {
			t.Fatalf("%+v", b.Stats())
		}
		time.Sleep(20 * time.Second)
		if held := b.Stats().Held; held != 0 {
			t.Fatalf("%d bytes are held", held)
		}
		texts, gaps := drain(late, lateSignal)
		if wantTexts(t, texts, "1", "2"); len(gaps) > 0 || log.ranges.Load() != 1 {
			t.Fatalf("%+v, %d pages read", gaps, log.ranges.Load())
		}
	})
}

func TestLingerTime(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, _ *frail) {
		s, _ := subscribe(t, b, Now())
		s.Close()
		time.Sleep(9 * time.Second)
		if n := b.Stats().Channels; n != 1 {
			t.Fatalf("%d channels just after", n)
		}
		time.Sleep(7 * time.Second)
		if n := b.Stats().Channels; n != 0 {
			t.Fatalf("%d channels later", n)
		}
	})
}

// What was under way when a channel was left is counted by nobody.
func TestDeliveredAfterLeaving(t *testing.T) {
	inBubble(t, BrokerOptions{Linger: time.Second}, func(t *testing.T, b *Broker, log *frail) {
		s, signal := subscribe(t, b, Now())
		drain(s, signal)
		log.hold()
		publish(t, b, "1", "2")
		s.Close()
		time.Sleep(3 * time.Second)
		if n := b.Stats().Channels; n != 0 {
			t.Fatalf("%d channels", n)
		}
		log.letGo()
		log.follower("a").Resync()
		synctest.Wait()
		if held := b.Stats().Held; held != 0 {
			t.Fatalf("%d bytes are held", held)
		}
		again, signal := subscribe(t, b, Now())
		publish(t, b, "3")
		texts, _ := drain(again, signal)
		wantTexts(t, texts, "3")
	})
}
