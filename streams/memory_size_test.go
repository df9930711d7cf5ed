package streams

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestMemoryCountsWhatItTakes: what the budget counts is no less than what the
// process needs, and not far from it, whatever the log is full of.
func TestMemoryCountsWhatItTakes(t *testing.T) {
	for name, full := range map[string]struct {
		channels, drafts int
		draft            Draft
	}{
		"channels of one event":  {30_000, 30_000, Draft{Data: []byte("{}")}},
		"channels of long names": {30_000, 30_000, Draft{Data: []byte("{}"), From: strings.Repeat("x", 90)}},
		"channels of ten events": {3_000, 30_000, Draft{Data: []byte("{}")}},
		"events":                 {10, 30_000, Draft{Data: make([]byte, 300)}},
		"keys":                   {10, 30_000, Draft{Data: []byte("{}"), Key: "a key of thirty bytes or so: ", Ephemeral: true}},
	} {
		t.Run(name, func(t *testing.T) {
			before := heapAfterCollection()
			m := NewMemory(1 << 30)
			defer m.Close()
			for i := range full.drafts {
				d := full.draft
				d.Data = append([]byte(nil), d.Data...)
				if d.Key != "" {
					d.Key = fmt.Sprint(d.Key, i)
				}
				keep := Retention{Count: full.drafts, Age: time.Hour}
				if _, err := m.Append(t.Context(), fmt.Sprint("room:", full.draft.From, i%full.channels), keep, []Draft{d}); err != nil {
					t.Fatal(err)
				}
			}
			takes, counts := heapAfterCollection()-before, m.used.Load()
			t.Logf("takes %d bytes each, counts %d", takes/int64(full.drafts), counts/int64(full.drafts))
			if takes > counts || counts > 2*takes {
				t.Errorf("takes %d bytes and counts %d", takes, counts)
			}
		})
	}
}
