package streams

import "time"

// doubt is what a subscription needs while it is not known where its position
// stands, and of a gap that is still to be told. Few have one, none for long.
type doubt struct {
	gap        *Gap // to be told before anything else, with what follows it
	verdict    verdict
	logEnd     ID     // where the log ended at the verdict
	asked      uint64 // the tail's end when the log was asked for it
	aheadSince time.Time
	retry      *time.Timer
}

// verdict is what the log said about a position that nothing follows.
type verdict uint8

const (
	noVerdict verdict = iota
	atEnd             // nothing follows
	aheadOf           // the log does not reach so far
)

// A node may hear of an event before the one a client returns to has, and a
// master may just be being replaced; only then is a position from a lost past.
const (
	aheadFor   = time.Second
	aheadRetry = aheadFor / 4
)

// judge notes what the log said when the tail ended at asked.
func (s *Subscription) judge(v verdict, asked uint64, logEnd ID) {
	if s.doubt == nil {
		if v == noVerdict {
			return
		}
		s.doubt = new(doubt)
	}
	s.doubt.verdict, s.doubt.asked, s.doubt.logEnd = v, asked, logEnd
}

// untold is the gap that is still to be told. It waits for what follows it:
// told by itself it would name an event that may be gone when it is read.
func (s *Subscription) untold() *Gap {
	if s.doubt == nil {
		return nil
	}
	return s.doubt.gap
}

// takeVerdict returns what the log said, which holds for one look.
func (s *Subscription) takeVerdict() (v verdict) {
	if s.doubt != nil {
		v, s.doubt.verdict = s.doubt.verdict, noVerdict
	}
	return v
}

// judgeAhead has the log asked again, and in the end takes the position for
// one of a lost past.
func (s *Subscription) judgeAhead(b *Batch) {
	d := s.doubt
	if d.aheadSince.IsZero() {
		d.aheadSince = time.Now()
	}
	if time.Since(d.aheadSince) >= aheadFor {
		s.fromStanding(b, rolledBack(s.channel.name, s.position, d.logEnd), 0)
		s.endDoubt()
		return
	}
	d.stopRetry()
	d.retry = time.AfterFunc(aheadRetry, func() {
		s.due.Store(true)
		s.waiter.Wake(s)
	})
}

// endDoubt forgets what was asked: the position stands, or is another now.
func (s *Subscription) endDoubt() {
	if s.doubt != nil {
		s.doubt.stopRetry()
		s.doubt = nil
	}
}

func (d *doubt) stopRetry() {
	if d.retry != nil {
		d.retry.Stop()
	}
}
