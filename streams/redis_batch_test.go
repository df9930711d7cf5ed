package streams

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Merged or not, each channel's drafts stand in the calls in the order in which
// they waited, under their own retention, and each append gets its own answers.
func TestAppendCalls(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var batch []*redisAppend
		want := map[string][]string{} // by channel
		number := 0
		for range rapid.IntRange(1, 40).Draw(t, "appends") {
			channel := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "channel")
			keep := Retention{Count: rapid.IntRange(1, 2).Draw(t, "count"), Age: time.Hour}
			var drafts []Draft
			for range rapid.IntRange(1, redisMerge).Draw(t, "drafts") {
				number++
				drafts = append(drafts, Draft{Data: fmt.Append(nil, number), Key: fmt.Sprint("k", number)})
				want[channel] = append(want[channel], fmt.Sprint(number, " ", keep.Count))
			}
			batch = append(batch, newRedisAppend(channel, keep, drafts))
		}
		got, last := map[string][]string{}, ID{}
		for _, call := range appendCalls(batch, &reign{}) {
			if len(call.appends) > 1 && call.drafts > redisMerge {
				t.Fatalf("%d drafts in a call", call.drafts)
			}
			if len(call.keys) != 4+call.drafts {
				t.Fatalf("%d keys for %d drafts", len(call.keys), call.drafts)
			}
			channel, values := call.appends[0].channel, dataOf(call)
			for _, v := range values {
				got[channel] = append(got[channel], fmt.Sprint(v, " ", call.args[0]))
			}
			last = answerWithIDs(t, call, last)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%v, want %v", got, want)
		}
		for _, a := range batch {
			<-a.done
			if a.err != nil || len(a.results) != a.drafts {
				t.Fatalf("%d results for %d drafts, %v", len(a.results), a.drafts, a.err)
			}
		}
	})
}

// dataOf reads the drafts' data as the script finds it.
func dataOf(c *appendCall) (data []string) {
	for at := 5; at < len(c.args); {
		fields := c.args[at+3].(int)
		for i := at + 4; i < at+4+fields; i += 2 {
			if c.args[i] == "data" {
				data = append(data, string(c.args[i+1].([]byte)))
			}
		}
		at += 4 + fields
	}
	return data
}

// answerWithIDs answers the call with IDs above last, the last of which it
// returns, and checks that each append gets those of its drafts.
func answerWithIDs(t *rapid.T, c *appendCall, last ID) ID {
	var answers []any
	for i := range c.drafts {
		answers = append(answers, ID{Ms: last.Ms, N: last.N + uint64(i) + 1}.String())
	}
	c.settle(answers, nil)
	for _, a := range c.appends {
		for _, r := range a.results {
			if last.N++; r.ID != last {
				t.Fatalf("%v where %v was due", r.ID, last)
			}
		}
	}
	return last
}

// An answer that does not fit says nothing about what was appended.
func TestAppendCallsBadAnswer(t *testing.T) {
	for _, answers := range [][]any{nil, {"5-1"}, {"5-1", "5-2", "5-3"}, {"5-1", int64(7)}, {"", "5-2"}} {
		a := newRedisAppend("a", DefaultRetention, []Draft{{Data: []byte("1")}, {Data: []byte("2")}})
		appendCalls([]*redisAppend{a}, &reign{})[0].settle(answers, nil)
		if !errors.Is(a.err, ErrUnknownOutcome) || a.results != nil {
			t.Errorf("%v: %v, %v", answers, a.results, a.err)
		}
	}
}
