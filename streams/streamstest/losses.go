package streamstest

import (
	"testing"
	"time"

	"runnel/streams"
)

// Losing is a log that can lose what it had, while nobody reads it.
type Losing struct {
	Log  streams.Log
	Save func()             // keeps a copy of the log
	Lose func() streams.Log // puts the copy back, and returns the log that goes on with it, at a later time
}

// RunLosses puts an engine through what is promised to those who come back with
// positions of a past that its log has lost, though nobody was there to see it
// and retention has removed all traces. For each test open returns a log without
// any channel.
func RunLosses(t *testing.T, open func(t *testing.T) *Losing) {
	for name, test := range map[string]func(*losses){
		"BehindRetention": lossBehindRetention,
		"TwoInARow":       twoLossesInARow,
		"Deeper":          deeperLoss,
		"Nothing":         nothingLost,
		"Empty":           lossThenEmpty,
	} {
		t.Run(name, func(t *testing.T) {
			losing := open(t)
			test(&losses{fixture{t: t, TB: t, ctx: t.Context(), log: losing.Log}, losing, nil})
		})
	}
}

// losses is a test's log, which keeps few events, and all positions that it ever gave.
type losses struct {
	fixture
	losing *Losing
	ids    []streams.ID
}

var fewer = streams.Retention{Count: 20, Age: time.Hour}

// much is more than any engine keeps of fewer.
const much = 300

func (l *losses) add(n int) {
	l.Helper()
	for range n {
		l.ids = append(l.ids, l.append("a", fewer, text("x"))[0].ID)
	}
}

func (l *losses) lose() { l.log = l.losing.Lose() }

// expect fails unless those of the positions that are lost are told so, and all
// others how many are gone.
func (l *losses) expect(lost ...streams.ID) {
	l.Helper()
	gone := map[streams.ID]bool{}
	for _, id := range lost {
		gone[id] = true
	}
	b := l.broker(streams.BrokerOptions{})
	first := l.history("a")[0]
	for i, p := range l.ids {
		if !gone[p] && !p.Less(first.Prev) {
			continue
		}
		want := streams.Gap{Channel: "a", After: p, Last: first.Prev, Resumed: first.ID, Missed: streams.MissedUnknown, Reason: streams.Rollback}
		if !gone[p] {
			want.Reason, want.Missed = streams.Trimmed, int64(first.ID.N-p.N-1)
		}
		r := l.subscribe(b, "a", streams.After(p))
		if got := l.readsGap(r); got != want {
			l.Errorf("position %d, %v: %+v, want %+v", i, p, got, want)
		}
		r.sub.Close()
	}
}

func lossBehindRetention(l *losses) {
	l.add(5)
	l.losing.Save()
	l.add(5)
	l.lose()
	l.add(much)
	l.expect(l.ids[5:10]...)
}

// One lost past after the other, from the same copy.
func twoLossesInARow(l *losses) {
	l.add(5)
	l.losing.Save()
	l.add(5)
	l.lose()
	l.add(7)
	l.lose()
	l.add(much)
	l.expect(l.ids[5:17]...)
}

// What is saved after a loss knows of it; an earlier place is lost at another.
func deeperLoss(l *losses) {
	l.add(5)
	l.losing.Save()
	l.add(5) // 5 to 9 are lost
	l.lose()
	l.add(3)
	l.losing.Save()
	l.add(4) // 13 to 16 too
	l.lose()
	l.add(much)
	l.expect(append(append([]streams.ID{}, l.ids[5:10]...), l.ids[13:17]...)...)
}

// Beginning anew is not losing: every count is exact.
func nothingLost(l *losses) {
	for range 3 {
		l.add(5)
		l.losing.Save()
		l.lose()
	}
	l.add(much)
	l.expect()
}

// Nothing has come since: who was ahead is put back, and gets what comes then.
func lossThenEmpty(l *losses) {
	l.add(5)
	l.losing.Save()
	l.add(5)
	l.lose()
	b := l.broker(streams.BrokerOptions{})
	r := l.subscribe(b, "a", streams.After(l.ids[8]))
	if got := l.readsGap(r); got.Reason != streams.Rollback || got.Last != l.ids[4] || got.Missed != streams.MissedUnknown {
		l.Fatalf("%+v", got)
	}
	l.publish(b, "a", "next")
	l.readsEvents(r, 1)
	l.read(r, "next")
	l.add(much)
	l.expect(l.ids[5:10]...)
}
