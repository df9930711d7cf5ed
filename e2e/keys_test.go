package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestKeysOutlastTheBudget publishes more keyed events than there is room for,
// twice: what was acknowledged is answered as before, however full the budget
// is, and what was refused was not published.
func TestKeysOutlastTheBudget(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--memory", "1MiB")
	publish := func(from int) (answers []string) {
		items := make([]string, 1000)
		for i := range items {
			items[i] = fmt.Sprintf(`{"channel":"c%d","data":%d,"idempotency_key":"k%d"}`, i%5, from+i, from+i)
		}
		for _, r := range parse[[]struct {
			ID *string
			failure
		}](t, call(t, "POST", n.URL+"/events", "["+strings.Join(items, ",")+"]", asJSON).body) {
			if r.Error.Code == "" {
				answers = append(answers, *r.ID)
			} else {
				answers = append(answers, r.Error.Code)
			}
		}
		return answers
	}
	first := map[int][]string{}
	refused := 0
	for from := 0; from < 6000; from += 1000 {
		first[from] = publish(from)
		refused += strings.Count(strings.Join(first[from], " "), "unavailable")
	}
	if refused < 1000 || refused > 4000 {
		t.Errorf("%d of 6000 keys were refused", refused)
	}
	for from, was := range first {
		for i, again := range publish(from) {
			if again != was[i] {
				t.Fatalf("key %d was answered with %s, then with %s", from+i, was[i], again)
			}
		}
	}
	a := n.post("c", "", "1", asJSON, "Idempotency-Key: another")
	wantError(t, a, http.StatusServiceUnavailable, "unavailable")
	if a.header.Get("Retry-After") == "" || !strings.Contains(string(a.body), "--memory") {
		t.Errorf("%v %s", a.header, a.body)
	}
	n.publish("c", "without a key")
}
