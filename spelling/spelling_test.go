package spelling

import (
	"strings"
	"testing"
	"time"
)

var some = Of("after", "wait", "last_event_id", "channel", "max_connections", "max_connections_per_ip")

func TestMeant(t *testing.T) {
	for name, want := range map[string]string{
		"wait": "", "last_event_id": "", // they exist
		"Wait": "wait", "WAIT": "wait", "wa-it": "wait", "_wait": "wait",
		"weit": "", "waits": "", "wit": "", // four letters have to be these
		"last-event-id": "last_event_id", "LastEventID": "last_event_id", "lasteventid": "last_event_id",
		"last_event": "last_event_id", "lst_evnt_id": "last_event_id", "last_evnet_id": "last_event_id",
		"last_eventld": "last_event_id", "last_vnt": "", "lxst_xvent_xd": "",
		"chanel": "channel", "channels": "channel", "chnl": "", "chan": "", "cannel2": "", "chnanel": "channel", "cancel": "",
		"aftre": "after", "afters": "after", "filter": "", "afte": "", "later": "", "farte": "",
		"": "", "utm_source": "", "_": "", "t": "", "v": "",
		strings.Repeat("-", 100) + "wait": "",
	} {
		if got := some.Meant(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name  string
		wrong int
		want  string
	}{
		{"max-connections", 0, "max_connections"},
		{"max_connections_per_i", 4, "max_connections_per_ip"},
		{"max_conection", 4, "max_connections"},
		{"max_conection", 1, ""},
		{"wart", 1, "wait"},
		{"colour", 2, ""},
	} {
		if got := some.Nearest(c.name, c.wrong); got != c.want {
			t.Errorf("%q, %d wrong: %q, want %q", c.name, c.wrong, got, c.want)
		}
	}
}

// FuzzWithin holds the short way against the table that everybody knows.
func FuzzWithin(f *testing.F) {
	f.Add("last_event_id", "lasteventid")
	f.Add("channel", "chnanel")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > longest || len(b) > longest {
			t.Skip()
		}
		d := distance(a, b)
		for wrong := range 4 {
			if got := within([]byte(a), []byte(b), wrong); got != (d <= wrong) {
				t.Errorf("%q and %q within %d: %v; they are %d apart", a, b, wrong, got, d)
			}
		}
	})
}

// distance is Levenshtein's, with a swap of neighbours as one step.
func distance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		for j := range d[i] {
			d[i][j] = max(i, j)
			if i == 0 || j == 0 {
				continue
			}
			change := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			d[i][j] = min(change, d[i-1][j]+1, d[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// TestWork: names come from strangers, and many of them in one request.
func TestWork(t *testing.T) {
	began := time.Now()
	for range 1000 {
		some.Meant(strings.Repeat("last-event_xx", 4) + "yyyyyyyyyyyy")
		some.Meant("lxst_xvent_xd")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("2000 names took %v", took)
	}
}

func BenchmarkStranger(b *testing.B) {
	headers := Of("Last-Event-Id", "Idempotency-Key")
	b.ReportAllocs()
	for b.Loop() {
		headers.Meant("Content-Length")
	}
}
