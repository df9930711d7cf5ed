package streamstest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"runnel/streams"
)

var storedTests = map[string]func(fixture){
	"stored/all":    testStoredAll,
	"stored/place":  testStoredPlace,
	"stored/unused": testStoredUnused,
}

// stored reads all pages, and holds each to what is promised of one.
func (f fixture) stored(l streams.Listing) map[string]streams.StoredChannel {
	f.Helper()
	found := map[string]streams.StoredChannel{}
	for pages := 0; ; pages++ {
		page, err := f.log.Stored(f.ctx, l)
		if err != nil || pages > 1000 || len(page.Channels) > 2*l.Limit+10 {
			f.Fatalf("page %d has %d channels, %v", pages, len(page.Channels), err)
		}
		if !slices.IsSortedFunc(page.Channels, func(x, y streams.StoredChannel) int { return strings.Compare(x.Name, y.Name) }) {
			f.Fatalf("page %d is not sorted: %v", pages, page.Channels)
		}
		for _, c := range page.Channels {
			found[c.Name] = c
		}
		if page.Next == "" {
			return found
		}
		l.After = page.Next
	}
}

// testStoredAll: every channel with an event is there, whether somebody
// follows it or not, with its last ID and what is retained.
func testStoredAll(f fixture) {
	want := map[string]streams.StoredChannel{}
	for i := range 250 {
		name := fmt.Sprintf("%s:%03d", []string{"chat", "orders"}[i%2], i)
		results := f.append(name, streams.Retention{Count: 2, Age: plenty.Age}, text("1"), text("2"))
		want[name] = streams.StoredChannel{Name: name, Last: results[1].ID, Events: 2}
		if i%3 == 0 {
			f.append(name, plenty, streams.Draft{Data: []byte("live"), Ephemeral: true, Key: fmt.Sprint("k", i)})
		}
	}
	for _, limit := range []int{1, 7, 100, 1000} {
		if got := f.stored(streams.Listing{Limit: limit}); !maps.Equal(got, want) {
			f.Fatalf("by %d: %d channels, want %d", limit, len(got), len(want))
		}
	}
	maps.DeleteFunc(want, func(name string, _ streams.StoredChannel) bool { return !strings.HasPrefix(name, "chat:1") })
	if got := f.stored(streams.Listing{Prefix: "chat:1", Limit: 10}); !maps.Equal(got, want) {
		f.Fatalf("of chat:1: %d channels, want %d", len(got), len(want))
	}
	for _, prefix := range []string{"chat:*", "c?at", "[co]", `\`} {
		if got := f.stored(streams.Listing{Prefix: prefix, Limit: 10}); len(got) != 0 {
			f.Fatalf("%q begins the names %v", prefix, got)
		}
	}
}

// testStoredPlace: a place that no page gave does no harm.
func testStoredPlace(f fixture) {
	f.append("a", plenty, text("1"))
	for _, place := range []string{"zzz", "0", "-1", "99999999999999999999"} {
		if page, err := f.log.Stored(f.ctx, streams.Listing{After: place, Limit: 10}); err != nil && !errors.Is(err, streams.ErrBadPlace) {
			f.Fatalf("after %q: %v, %v", place, page, err)
		}
	}
}

// testStoredUnused: a channel that was read and never published to is none,
// nor is one that had ephemeral events alone.
func testStoredUnused(f fixture) {
	f.head("asked")
	f.page("read", whole)
	f.append("live", plenty, streams.Draft{Data: []byte("1"), Ephemeral: true})
	defer f.log.Follow("followed", silent{})()
	if got := f.stored(streams.Listing{Limit: 10}); len(got) != 0 {
		f.Fatalf("there are %v", got)
	}
}

// silent is a follower that makes nothing of what it hears.
type silent struct{}

func (silent) Deliver(*streams.Event) {}
func (silent) Resync()                {}
