package server

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runnel/auth"
)

func TestMessageLimit(t *testing.T) {
	n := &Server{limits: DefaultLimits()}
	m, now := n.newMessageLimit(), time.Now()
	take := func(times int, want bool) {
		t.Helper()
		for i := range times {
			if err, goOn := m.take(now); (err == nil) != want || !goOn {
				t.Fatalf("message %d: %v, go on %v", i, err, goOn)
			}
		}
	}
	take(40, true)
	take(99, false)
	if err, goOn := m.take(now); err == nil || goOn || err.manner.close != closeRateLimited {
		t.Fatalf("the 100th refused in a row: %v, go on %v", err, goOn)
	}
	now = now.Add(time.Second)
	take(20, true)
	take(50, false)
	now = now.Add(50 * time.Millisecond)
	take(1, true)
	take(99, false) // begun anew
}

func admissionsNode(perIP, perUser, all int) *Server {
	l := DefaultLimits()
	l.ConnectionsPerIP, l.ConnectionsPerUser, l.Connections = perIP, perUser, all
	return &Server{limits: l, admissions: newAdmissions(l), addresses: &clientAddresses{}}
}

func TestAdmissionLimits(t *testing.T) {
	s := admissionsNode(2, 2, 5)
	admit := func(addr, user string) (*admission, bool) {
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = addr
		a := &admission{}
		err := s.admit(a, r, &auth.Claims{Subject: user}, new(atomic.Int64))
		if err != nil && describe(err).code != codeConnectionLimit {
			t.Fatal(err)
		}
		return a, err == nil
	}
	first, _ := admit("192.0.2.1:1", "alice")
	admit("192.0.2.1:2", "alice")
	if _, ok := admit("192.0.2.1:3", "bob"); ok {
		t.Error("a third from one address")
	}
	if _, ok := admit("192.0.2.2:1", "alice"); ok {
		t.Error("a third of one user")
	}
	if s.admissions.count() != 2 {
		t.Errorf("refused ones count: %d", s.admissions.count())
	}
	first.release()
	first.release()
	if _, ok := admit("192.0.2.1:4", "alice"); !ok {
		t.Error("a place that was given back is taken")
	}
	admit("[2001:db8::1]:1", "")
	admit("[2001:db8::2]:1", "")
	if _, ok := admit("[2001:db8::ffff:1]:1", ""); ok {
		t.Error("a third from one /64")
	}
	if _, ok := admit("[2001:db8:0:1::1]:1", ""); !ok {
		t.Error("another /64 is refused")
	}
	if _, ok := admit("192.0.2.9:1", ""); ok {
		t.Error("a sixth on the node")
	}
}

func TestAdmitUserLater(t *testing.T) {
	s := admissionsNode(0, 1, 100)
	r := httptest.NewRequest("GET", "/", nil)
	var open atomic.Int64
	var a, b admission
	for _, a := range []*admission{&a, &b} {
		if err := s.admit(a, r, nil, &open); err != nil {
			t.Fatal(err)
		}
	}
	alice := &auth.Claims{Subject: "alice"}
	if err := a.admitUser(alice); err != nil {
		t.Fatal(err)
	}
	if err := b.admitUser(alice); err == nil {
		t.Error("a second of one user")
	}
	a.release()
	if err := s.admit(&a, r, alice, &open); err != nil {
		t.Error(err)
	}
	if open.Load() != 2 {
		t.Errorf("%d are open", open.Load())
	}
}

// Whatever comes and goes, the counts are those of who is there, and nobody
// who left leaves anything behind.
func TestAdmissionsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := admissionsNode(3, 4, 20)
		var there []func()
		var open atomic.Int64
		for range rapid.IntRange(0, 200).Draw(t, "steps") {
			if len(there) > 0 && rapid.Bool().Draw(t, "leave") {
				i := rapid.IntRange(0, len(there)-1).Draw(t, "who")
				there[i]()
				there = append(there[:i], there[i+1:]...)
				continue
			}
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", rapid.IntRange(1, 8).Draw(t, "address"))
			var a admission
			if s.admit(&a, r, &auth.Claims{Subject: fmt.Sprint(rapid.IntRange(1, 6).Draw(t, "user"))}, &open) == nil {
				there = append(there, a.release)
			}
			if s.admissions.count() != len(there) || len(there) > 20 {
				t.Fatalf("%d counted, %d there", s.admissions.count(), len(there))
			}
		}
		for _, release := range there {
			release()
		}
		if a := s.admissions; a.total != 0 || len(a.byNetwork) != 0 || len(a.byUser) != 0 {
			t.Fatalf("left behind: %+v", a)
		}
	})
}

func TestAdmissionsFromManyGoroutines(t *testing.T) {
	s := admissionsNode(10, 10, 15)
	var all sync.WaitGroup
	var open atomic.Int64
	for i := range 50 {
		all.Go(func() {
			for range 100 {
				r := httptest.NewRequest("GET", "/", nil)
				r.RemoteAddr = fmt.Sprintf("192.0.2.%d:1", i%3)
				var a admission
				if s.admit(&a, r, &auth.Claims{Subject: fmt.Sprint(i % 4)}, &open) == nil {
					if s.admissions.count() > 15 {
						t.Error("over the limit")
					}
					a.release()
				}
			}
		})
	}
	all.Wait()
	if s.admissions.count() != 0 {
		t.Errorf("%d left", s.admissions.count())
	}
}

func TestConnectionsFor(t *testing.T) {
	for files, want := range map[int]int{10: 1, 64: 1, 1024: 922, 20000: 18000, 640: 576, 100: 36, 1 << 30: mostConnections} {
		if got := connectionsFor(files); got != want {
			t.Errorf("%d files: %d connections, want %d", files, got, want)
		}
	}
	if openFiles() < 64 {
		t.Errorf("%d open files", openFiles())
	}
}

// Items count as requests do, whatever carries them; servers have no rate.
func TestItemsCount(t *testing.T) {
	n := startNode(t, func(c *Config, _ *auth.Config) {
		c.Limits = DefaultLimits()
		c.Limits.MessageRate, c.Limits.MessageBurst = 1e-9, 10
	})
	const items = 30
	lines := strings.Repeat(`{"channel":"a","data":1}`+"\n", items)
	batch := "[" + strings.TrimSuffix(strings.ReplaceAll(lines, "\n", ","), ",") + "]"
	within := func(what string, results []result, want int) {
		t.Helper()
		for i, r := range results {
			switch {
			case i < want && r.ID == nil, i >= want && (r.Error == nil || r.Error.Code != codeRateLimited):
				t.Fatalf("%s: item %d: %+v", what, i, r)
			}
		}
		if len(results) != items {
			t.Errorf("%s: %d results", what, len(results))
		}
	}
	user := func(name string) string {
		return n.token(auth.Claims{Subject: name, Publish: patterns(t, "a")})
	}
	within("JSON", n.batch(asJSON, batch, user("ann")), 10)
	within("NDJSON", n.batch(asNDJSON, lines, user("bob")), 10)
	within("API key", n.batch(asNDJSON, lines, testAPIKey), items)
	for name, want := range map[string]int{user("eve"): 9, testAPIKey: items} { // opening a stream is a request
		p := n.publisher(name)
		var results []result
		p.say(lines)
		for range items {
			results = append(results, p.result())
		}
		within("stream", results, want)
	}
	if got := n.send(request{method: "POST", path: "/events", kind: asNDJSON, body: lines, token: user("ann")}); got.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a request of one who has used the rate up: %d", got.StatusCode)
	}
}
