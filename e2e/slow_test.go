package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestSlowReaders: one that stops reading holds up nobody, and gets everything
// afterwards, in order.
func TestSlowReaders(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	const count, perBatch = 320, 16
	// They are read from only after everything was published, which is more
	// than the buffers of their sockets hold.
	slow := n.subscribe(events("c"))
	slowSocket, _ := n.subscribeSocket("c", "")
	fast := n.subscribe(events("c"))
	padding := strings.Repeat("x", 60<<10)
	for first := 1; first <= count; first += perBatch {
		var items []string
		for i := range perBatch {
			items = append(items, fmt.Sprintf(`{"channel":"c","text":"%d %s"}`, first+i, padding))
		}
		began := time.Now()
		call(t, "POST", n.URL+"/events", "["+strings.Join(items, ",")+"]", asJSON)
		for i := range perBatch {
			wantNumber(t, "the fast reader", fast.read().data, first+i)
		}
		if took := time.Since(began); took > patience {
			t.Errorf("the fast reader waited %v", took)
		}
	}
	for i := range count {
		wantNumber(t, "the slow feed", slow.read().data, i+1)
		wantNumber(t, "the slow WebSocket", slowSocket.want("event").payload(), i+1)
	}
	n.publish("c", fmt.Sprint(count+1, " live"))
	wantNumber(t, "the slow feed", slow.read().data, count+1)
	wantNumber(t, "the slow WebSocket", slowSocket.want("event").payload(), count+1)
}

func wantNumber(t *testing.T, who, data string, want int) {
	t.Helper()
	if number, _, _ := strings.Cut(data, " "); number != fmt.Sprint(want) {
		t.Fatalf("%s gets %.80q, want number %d", who, data, want)
	}
}
