package streams

import (
	"testing"
	"testing/synctest"
	"time"
)

// moveUp has the log move up where the channel stands that never had an event.
func (l *frail) moveUp(by uint64) {
	l.tamper(func(c *memoryChannel) { c.head.Last.Ms += by })
}

// TestUnusedMovesUp: a log moves up where a channel stands before its first
// event. Who is connected, since before that or after, and who comes back to an
// earlier name of the position gets what follows, without a gap.
func TestUnusedMovesUp(t *testing.T) {
	for name, wait := range map[string]time.Duration{"before it is noticed": 0, "after": time.Minute} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
				early, earlySignal := subscribe(t, b, Now())
				position := early.Position()
				publish(t, b, "~passing")
				texts, gaps := drain(early, earlySignal)
				time.Sleep(10 * time.Second)
				log.moveUp(5000)
				time.Sleep(wait)
				back, backSignal := subscribe(t, b, After(position))
				drain(back, backSignal)
				publish(t, b, "1", "2")
				more, moreGaps := drain(early, earlySignal)
				wantTexts(t, append(texts, more...), "~passing", "1", "2")
				texts, backGaps := drain(back, backSignal)
				wantTexts(t, texts, "1", "2")
				later, laterSignal := subscribe(t, b, After(position))
				texts, laterGaps := drain(later, laterSignal)
				wantTexts(t, texts, "1", "2")
				for _, gaps := range [][]Gap{gaps, moreGaps, backGaps, laterGaps} {
					if len(gaps) > 0 {
						t.Errorf("%+v", gaps)
					}
				}
			})
		})
	}
}

// TestUnusedLost: a log that was lost meanwhile is told from a channel without
// events, to who is connected and to who comes back.
func TestUnusedLost(t *testing.T) {
	inBubble(t, BrokerOptions{}, func(t *testing.T, b *Broker, log *frail) {
		connected, signal := subscribe(t, b, Now())
		position := connected.Position()
		drain(connected, signal)
		time.Sleep(10 * time.Second)
		log.tamper(func(c *memoryChannel) {
			c.head.Last.Ms += 5000
			c.head.Base = c.head.Last
		})
		time.Sleep(time.Minute)
		synctest.Wait()
		publish(t, b, "1")
		back, backSignal := subscribe(t, b, After(position))
		for _, s := range []struct {
			*Subscription
			Signal
		}{{connected, signal}, {back, backSignal}} {
			texts, gaps := drain(s.Subscription, s.Signal)
			wantTexts(t, texts, "1")
			if len(gaps) != 1 || gaps[0].Reason != Unknown || gaps[0].After != position || gaps[0].Missed != MissedUnknown {
				t.Errorf("%+v", gaps)
			}
		}
	})
}
