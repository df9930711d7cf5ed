package streams_test

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestBoltInUse(t *testing.T) {
	path := boltPath(t)
	openBolt(t, path)
	began := time.Now()
	_, err := streams.OpenBolt(path, streams.BoltOptions{})
	if err == nil || !strings.Contains(err.Error(), "another process has it open") || !strings.Contains(err.Error(), path) {
		t.Fatalf("OpenBolt: %v", err)
	}
	if took := time.Since(began); took < 900*time.Millisecond || took > patience {
		t.Fatalf("it took %v", took)
	}
}

// filledBolt is the content of a file with some history, without the empty
// end that was set aside for growth.
func filledBolt(t *testing.T) []byte {
	t.Helper()
	path := boltPath(t)
	b := openBolt(t, path)
	for _, channel := range []string{"a", "b", "c"} {
		for range 60 {
			appendText(t, b, channel, day, strings.Repeat("x", 700), channel)
			appendText(t, b, channel, day, strings.Repeat("y", 9000), "")
		}
	}
	closeBolt(t, b)
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	size := int64(0)
	if err := errors.Join(db.View(func(tx *bbolt.Tx) error { size = tx.Size(); return nil }), db.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content[:size]
}

func openContent(t *testing.T, content []byte) error {
	t.Helper()
	path := boltPath(t)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := streams.OpenBolt(path, streams.BoltOptions{})
	if err == nil {
		closeBolt(t, b)
	}
	return err
}

func TestBoltNotALog(t *testing.T) {
	for name, content := range map[string][]byte{
		"text":   []byte("this is a file of somebody else\n"),
		"long":   bytes.Repeat([]byte("this is a file of somebody else\n"), 10_000),
		"a zero": {0},
		"zeros":  make([]byte, 1<<20),
	} {
		if err := openContent(t, content); err == nil || !strings.Contains(err.Error(), "not a log") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBoltForeign(t *testing.T) {
	for _, bucket := range []string{"somebody's", "runnel"} {
		path := boltPath(t)
		inBolt(t, path, func(tx *bbolt.Tx) error {
			_, err := tx.CreateBucket([]byte(bucket))
			return err
		})
		before, _ := os.ReadFile(path)
		if _, err := streams.OpenBolt(path, streams.BoltOptions{}); err == nil || !strings.Contains(err.Error(), "not a log") {
			t.Fatalf("OpenBolt: %v", err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Fatal("the file of somebody else was changed")
		}
	}
}

func TestBoltCutOff(t *testing.T) {
	content := filledBolt(t)
	if err := openContent(t, content); err != nil {
		t.Fatalf("nothing but the empty end is missing: %v", err)
	}
	for _, size := range []int{5000, 9000, len(content) / 3, len(content) / 2, len(content) - 50_000, len(content) - 5000, len(content) - 1} {
		if err := openContent(t, content[:size]); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%d of %d bytes: %v", size, len(content), err)
		}
	}
}

// TestBoltDamaged overwrites pages: the file is refused, or the page was not
// in use. That the process survives it is what is tested.
func TestBoltDamaged(t *testing.T) {
	content := filledBolt(t)
	pages := len(content) / os.Getpagesize()
	refused := 0
	for range 40 {
		damaged := bytes.Clone(content)
		at := (2 + rand.IntN(pages-2)) * os.Getpagesize()
		clear(damaged[at:min(at+os.Getpagesize(), len(damaged))])
		if openContent(t, damaged) != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Fatal("no damaged file was refused")
	}
}

// TestBoltOlderCopy puts back an older copy of the file: what is published
// then never has the ID of what was lost.
func TestBoltOlderCopy(t *testing.T) {
	path := boltPath(t)
	b := openBolt(t, path)
	last := appendText(t, b, "a", day, "1", "")
	closeBolt(t, b)
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lost := map[streams.ID]bool{}
	for range 5 {
		b := openBolt(t, path)
		if head := headOf(t, b, "a"); head.Last != last {
			t.Fatalf("the older copy ends at %v, not %v", head.Last, last)
		}
		for range 3 {
			id := appendText(t, b, "a", day, "x", "")
			if lost[id] {
				t.Fatalf("%v stands for another event", id)
			}
			lost[id] = true
		}
		closeBolt(t, b)
		if err := os.WriteFile(path, older, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestBoltLosses puts older copies of the file back.
func TestBoltLosses(t *testing.T) {
	streamstest.RunLosses(t, func(t *testing.T) *streamstest.Losing {
		path := boltPath(t)
		b := openBolt(t, path)
		var older []byte
		return &streamstest.Losing{
			Log: b,
			Save: func() {
				var err error
				if older, err = os.ReadFile(path); err != nil {
					t.Fatal(err)
				}
			},
			Lose: func() streams.Log {
				closeBolt(t, b)
				if err := os.WriteFile(path, older, 0o600); err != nil {
					t.Fatal(err)
				}
				b = openBolt(t, path)
				return b
			},
		}
	})
}

// TestBoltForksDamaged: who comes back to what is gone is told that nobody
// knows, and the next loss is noted as ever.
func TestBoltForksDamaged(t *testing.T) {
	path := boltPath(t)
	b := openBolt(t, path)
	few := streams.Retention{Count: 20, Age: time.Hour}
	old := appendText(t, b, "a", few, "x", "")
	publish := func() {
		for range 100 {
			appendText(t, b, "a", few, "x", "")
		}
	}
	publish()
	closeBolt(t, b)
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { return streams.DamageBoltForks(tx, "a") }); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b = openBolt(t, path)
	for _, forks := range []int{1, 2} { // damaged, and with what is noted next
		first := readAll(t, b, "a").Events[0]
		broker := streams.NewBroker(streams.BrokerOptions{Log: b, Node: "a"})
		s, err := broker.Subscribe(t.Context(), "a", streams.After(old), streams.NewSignal())
		if err != nil {
			t.Fatal(err)
		}
		var got streams.Batch
		within(t, "a gap", func() bool {
			got = s.Next(nil, 1)
			return got.Gap != nil
		})
		s.Close()
		_ = broker.Close()
		want := streams.Gap{Channel: "a", After: old, Last: first.Prev, Resumed: first.ID, Missed: streams.MissedUnknown, Reason: streams.Rollback}
		if *got.Gap != want {
			t.Errorf("%+v, want %+v", *got.Gap, want)
		}
		if page := readAll(t, b, "a"); len(page.Forks) != forks {
			t.Errorf("forks %v", page.Forks)
		}
		publish()
	}
}

// TestBoltRollbackOfANewChannel: the older copy has nothing of the channel.
func TestBoltRollbackOfANewChannel(t *testing.T) {
	path := boltPath(t)
	b := openBolt(t, path)
	closeBolt(t, b)
	older, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = openBolt(t, path)
	few := streams.Retention{Count: 20, Age: time.Hour}
	lost := appendText(t, b, "a", few, "x", "")
	closeBolt(t, b)
	if err := os.WriteFile(path, older, 0o600); err != nil {
		t.Fatal(err)
	}
	b = openBolt(t, path)
	for range 100 {
		appendText(t, b, "a", few, "x", "")
	}
	page := readAll(t, b, "a")
	if len(page.Forks) != 1 || !page.Forks[0].Last.Less(lost) || !lost.Less(page.Forks[0].First) {
		t.Fatalf("%v was lost, the forks are %v", lost, page.Forks)
	}
}
