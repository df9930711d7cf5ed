package streamstest

import "runnel/streams"

var ephemeralTests = map[string]func(fixture){
	"ephemeral/order":  testEphemeralOrder,
	"ephemeral/alone":  testEphemeralAlone,
	"ephemeral/behind": testEphemeralBehind,
	"ephemeral/before": testEphemeralBefore,
}

func (f fixture) pass(b *streams.Broker, channel, s string) {
	f.Helper()
	d := text(s)
	d.Ephemeral = true
	results, err := b.Publish(f.ctx, channel, d)
	if err != nil || results[0].Err != nil || !results[0].ID.IsZero() {
		f.Fatalf("%+v, %v", results, err)
	}
}

// testEphemeralOrder: among stored events, in the order of one publisher, also
// for who takes next to nothing at a time.
func testEphemeralOrder(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	quick, slow := f.subscribe(b, "a", streams.Now()), f.subscribe(b, "a", streams.Now())
	slow.bytes = 1
	f.pass(b, "a", "p1")
	f.publish(b, "a", "1")
	f.pass(b, "a", "p2")
	f.pass(b, "a", "p3")
	last := f.publish(b, "a", "2")[0]
	f.pass(b, "a", "p4")
	for _, r := range []*reader{quick, slow} {
		f.readsEvents(r, 6)
		f.read(r, "p1", "1", "p2", "p3", "2", "p4")
		f.noGap(r)
		if r.at != last {
			f.Fatalf("the position is %v, the last stored event %v", r.at, last)
		}
	}
}

func testEphemeralAlone(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	r := f.subscribe(b, "a", streams.Now())
	base := r.at
	f.settles(r)
	f.pass(b, "a", "p1")
	f.readsEvents(r, 1)
	f.pass(b, "a", "p2")
	f.readsEvents(r, 2)
	if r.at != base || f.head("a").Last != base {
		f.Fatalf("the position is %v, was %v", r.at, base)
	}
	again := f.starts(b, streams.After(base))
	if len(again.events) > 0 {
		f.Fatalf("%q came again", again.events[0].Data)
	}
}

// testEphemeralBehind: who reads history meets none.
func testEphemeralBehind(f fixture) {
	b := f.broker(streams.BrokerOptions{TailEvents: 4})
	live, behind := f.subscribe(b, "a", streams.Now()), f.subscribe(b, "a", streams.Now())
	last := live.at
	for i := range 20 {
		f.pass(b, "a", "passing")
		last = f.publish(b, "a", numbers(i, i+1)...)[0]
		f.reads(live, last)
	}
	f.reads(behind, last)
	stored := 0
	for i, e := range behind.events {
		switch {
		case !e.Ephemeral():
			stored++
		case i < 16:
			f.Fatalf("event %d is ephemeral", i)
		}
	}
	if stored != 20 || len(live.events) != 40 {
		f.Fatalf("%d stored, %d live", stored, len(live.events))
	}
	f.noGap(behind)
}

// testEphemeralBefore: who returns was not there for what came live meanwhile,
// and does not get again what it had got.
func testEphemeralBefore(f fixture) {
	b := f.broker(streams.BrokerOptions{})
	first := f.subscribe(b, "a", streams.Now())
	base := first.at
	f.publish(b, "a", "1")
	f.pass(b, "a", "p1")
	f.publish(b, "a", "2")
	f.readsEvents(first, 3)
	again := f.subscribe(b, "a", streams.After(base))
	f.readsEvents(again, 2)
	f.read(again, "1", "2")
	f.pass(b, "a", "p2")
	f.readsEvents(again, 3)
	f.read(again, "1", "2", "p2")
}
