package streamstest

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"runnel/streams"
)

// RunForker puts an engine to which nodes tell what it lost through what it
// promises them. For each test open returns a log without any channel, and has
// t.Cleanup close it.
func RunForker(t *testing.T, open func(t *testing.T) streams.Log) {
	for name, test := range map[string]func(forking){
		"Follows":    forkThatFollows,
		"Unfinished": forkUnfinished,
		"NotThere":   forkNotThere,
		"Base":       forkAtTheBase,
		"Again":      forkAgain,
		"Lower":      forkBelowOthers,
		"Trimmed":    forkTrimmed,
		"Bound":      forksAreBounded,
		"Together":   forksTogether,
	} {
		t.Run(name, func(t *testing.T) {
			log := open(t)
			test(forking{fixture{t: t, TB: t, ctx: t.Context(), log: log}, log.(streams.Forker)})
		})
	}
}

type forking struct {
	fixture
	forker streams.Forker
}

// fork notes a fork of channel a.
func (f forking) fork(last, lost streams.ID) streams.Fork {
	f.Helper()
	fork, err := f.forker.Fork(f.ctx, "a", last, lost)
	if err != nil {
		f.Fatalf("Fork: %v", err)
	}
	return fork
}

// has fails unless these are the forks that every page has.
func (f forking) has(want ...streams.Fork) {
	f.Helper()
	for _, q := range []streams.Query{whole, {From: streams.ID{Ms: 1}, Events: 1}, {Events: 1, Backward: true}} {
		if got := f.page("a", q).Forks; !slices.Equal(got, want) {
			f.Fatalf("forks %v, want %v", got, want)
		}
	}
}

func (f forking) add(n int) (ids []streams.ID) {
	f.Helper()
	for range n {
		ids = append(ids, f.append("a", plenty, text("x"))[0].ID)
	}
	return ids
}

// beside is an ID of another past at the time of id.
func beside(id streams.ID, n uint64) streams.ID { return streams.ID{Ms: id.Ms, N: id.N + n} }

func forkThatFollows(f forking) {
	ids := f.add(5)
	f.has()
	want := streams.Fork{Last: ids[1], First: ids[2], Lost: beside(ids[1], 7)}
	if got := f.fork(want.Last, want.Lost); got != want {
		f.Fatalf("%v, want %v", got, want)
	}
	f.has(want)
}

// What follows is noted once it has come.
func forkUnfinished(f forking) {
	last := f.add(2)[1]
	want := streams.Fork{Last: last, Lost: beside(last, 3)}
	if got := f.fork(want.Last, want.Lost); got != want {
		f.Fatalf("%v, want %v", got, want)
	}
	f.has(want)
	want.First = f.add(2)[0]
	if got := f.fork(want.Last, want.Lost); got != want {
		f.Fatalf("%v, want %v", got, want)
	}
	f.has(want)
}

// What the log does not have cannot be where it goes on.
func forkNotThere(f forking) {
	ids := f.add(3)
	for _, last := range []streams.ID{beside(ids[2], 1), {Ms: ids[0].Ms - 1, N: 2}, {Ms: ids[2].Ms, N: 2 << 40}} {
		if got := f.fork(last, beside(last, 1)); got != (streams.Fork{}) {
			f.Errorf("after %v: %v", last, got)
		}
	}
	f.has()
}

// Everything was lost: also of a channel that has nothing yet.
func forkAtTheBase(f forking) {
	base := f.head("a").Last
	lost := beside(base, 4)
	if got := f.fork(base, lost); got != (streams.Fork{Last: base, Lost: lost}) {
		f.Fatalf("%v", got)
	}
	first := f.add(2)[0]
	want := streams.Fork{Last: base, First: first, Lost: lost}
	if got := f.fork(base, lost); got != want {
		f.Fatalf("%v, want %v", got, want)
	}
}

// Nodes see the same loss: it stays one, with the highest that any of them had.
func forkAgain(f forking) {
	ids := f.add(3)
	for _, n := range []uint64{2, 5, 2, 5} {
		f.fork(ids[0], beside(ids[0], n))
	}
	f.has(streams.Fork{Last: ids[0], First: ids[1], Lost: beside(ids[0], 5)})
}

// An earlier loss that is heard of late stands before the others.
func forkBelowOthers(f forking) {
	ids := f.add(6)
	f.fork(ids[4], beside(ids[4], 1))
	f.fork(ids[1], beside(ids[1], 1))
	f.has(streams.Fork{Last: ids[1], First: ids[2], Lost: beside(ids[1], 1)},
		streams.Fork{Last: ids[4], First: ids[5], Lost: beside(ids[4], 1)})
}

// Forks outlive the events around them, and are still to be added to.
func forkTrimmed(f forking) {
	ids := f.add(3)
	want := streams.Fork{Last: ids[1], First: ids[2], Lost: beside(ids[1], 1)}
	f.fork(want.Last, want.Lost)
	for range much {
		f.append("a", fewer, text("x"))
	}
	f.has(want)
	want.Lost = streams.ID{Ms: ids[2].Ms + 1000, N: ids[2].N + 50}
	f.fork(want.Last, want.Lost)
	if got := f.page("a", whole).Forks; len(got) != 1 || got[0].Last != want.Last || got[0].Lost != want.Lost {
		f.Fatalf("forks %v, want %v", got, want)
	}
}

// The newest are kept.
func forksAreBounded(f forking) {
	ids := f.add(60)
	for _, id := range ids[:59] {
		f.fork(id, beside(id, 1))
	}
	forks := f.page("a", whole).Forks
	if len(forks) == 0 || len(forks) > 30 || forks[len(forks)-1].Last != ids[58] || forks[0].Last != ids[59-len(forks)] {
		f.Fatalf("%d forks: %v", len(forks), forks)
	}
}

func forksTogether(f forking) {
	ids := f.add(9)
	var nodes sync.WaitGroup
	for _, id := range ids[:8] {
		nodes.Go(func() {
			if _, err := f.forker.Fork(f.ctx, "a", id, beside(id, 1)); err != nil {
				f.Errorf("%v", err)
			}
		})
	}
	nodes.Wait()
	var want []streams.Fork
	for i, id := range ids[:8] {
		want = append(want, streams.Fork{Last: id, First: ids[i+1], Lost: beside(id, 1)})
	}
	if got := f.page("a", whole).Forks; fmt.Sprint(got) != fmt.Sprint(want) {
		f.Fatalf("forks %v, want %v", got, want)
	}
}
