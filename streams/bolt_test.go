package streams_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.etcd.io/bbolt"

	"runnel/streams"
	"runnel/streams/streamstest"
)

func TestBolt(t *testing.T) {
	t.Parallel()
	streamstest.Run(t, func(t *testing.T) streams.Log { return openBolt(t, boltPath(t)) })
}

func boltPath(t testing.TB) string { return filepath.Join(t.TempDir(), "log") }

func openBolt(t testing.TB, path string) *streams.Bolt {
	t.Helper()
	return openBoltWith(t, path, streams.BoltOptions{})
}

func openBoltWith(t testing.TB, path string, o streams.BoltOptions) *streams.Bolt {
	t.Helper()
	b, err := streams.OpenBolt(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeBolt(t, b) })
	return b
}

func closeBolt(t testing.TB, b *streams.Bolt) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

// TestBoltReopened reopens the file within a millisecond: the clock of the
// bubble stands still.
func TestBoltReopened(t *testing.T) { synctest.Test(t, testBoltReopened) }

func testBoltReopened(t *testing.T) {
	path := boltPath(t)
	b := openBolt(t, path)
	base := headOf(t, b, "empty")
	first := appendText(t, b, "a", day, "1", "k")
	appendText(t, b, "a", day, "2", "")
	before := readAll(t, b, "a")
	closeBolt(t, b)

	b = openBolt(t, path)
	if head := headOf(t, b, "empty"); head.Base != base.Base || head.Last.N != 0 || !base.Last.Less(head.Last) {
		t.Fatalf("the base was %+v, is %+v", base, head)
	}
	after := readAll(t, b, "a")
	if after.Head != before.Head || len(after.Events) != 2 || after.Events[0].Prev != before.Events[0].Prev {
		t.Fatalf("%+v was %+v", after, before)
	}
	if again := appendText(t, b, "a", day, "1", "k"); again != first {
		t.Fatalf("the key's answer was %v, is %v", first, again)
	}
	next := appendText(t, b, "a", day, "3", "")
	if next.N != 3 || next.Ms <= before.Last.Ms {
		t.Fatalf("%v follows %v, the last of the opening before", next, before.Last)
	}
	if page := readAll(t, b, "a"); page.Events[2].Prev != before.Last {
		t.Fatalf("%v follows %v, want %v", next, page.Events[2].Prev, before.Last)
	}
	if next := appendText(t, b, "empty", day, "1", ""); next.N != 1 || next.Ms <= base.Last.Ms {
		t.Fatalf("%v follows the base %v", next, base.Last)
	}
}

func TestBoltAgesWhileIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBolt(t, boltPath(t))
		keep := streams.Retention{Count: 100, Age: time.Hour}
		last := appendText(t, b, "a", keep, "x", "")
		time.Sleep(59 * time.Minute)
		if n := len(readAll(t, b, "a").Events); n != 1 {
			t.Fatalf("%d events before the hour is over", n)
		}
		time.Sleep(2*time.Minute + time.Second)
		if page := readAll(t, b, "a"); len(page.Events) != 0 || page.Last != last {
			t.Fatalf("%d events, last %v", len(page.Events), page.Last)
		}
	})
}

const oneDay = 24 * time.Hour

func TestBoltForgetsInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := openBoltWith(t, boltPath(t), streams.BoltOptions{SweepEvery: time.Hour})
		first := map[string]streams.Head{}
		for _, name := range []string{"head", "followed"} {
			appendText(t, b, name, day, "x", "")
			first[name] = headOf(t, b, name)
		}
		stop := b.Follow("followed", &silent{})
		same := func(name string, want bool) {
			t.Helper()
			if head := headOf(t, b, name); (head == first[name]) != want {
				t.Fatalf("%s: %+v was %+v", name, head, first[name])
			}
		}
		time.Sleep(28 * oneDay)
		same("head", true)
		time.Sleep(32 * oneDay)
		same("head", false)
		same("followed", true)
		stop()
		time.Sleep(32 * oneDay)
		same("followed", false)
	})
}

// TestBoltUnusedStaysGood: channels are forgotten each day; where one stood
// that never had an event is good for as long as heads are remembered, over a
// restart too, and not for longer.
func TestBoltUnusedStaysGood(t *testing.T) {
	path := boltPath(t)
	synctest.Test(t, func(t *testing.T) {
		options := streams.BoltOptions{SweepEvery: time.Hour}
		b := openBoltWith(t, path, options)
		good := func(p streams.ID) bool { return !p.Less(headOf(t, b, "unused").Base) }
		var positions []streams.ID
		for i := range 100 {
			appendText(t, b, fmt.Sprint("once ", i), day, "x", "")
			positions = append(positions, headOf(t, b, "unused").Last)
			time.Sleep(oneDay)
			if i == 50 {
				closeBolt(t, b)
				b = openBoltWith(t, path, options)
			}
			for ago := range min(29, i+1) {
				if p := positions[i-ago]; !good(p) {
					t.Fatalf("day %d: %v, of %d days ago, is not good any more", i, p, ago)
				}
			}
			if i > 40 && good(positions[i-40]) {
				t.Fatalf("day %d: what was handed out 40 days ago is good, and events of then are forgotten", i)
			}
		}
	})
}

// TestBoltReadersWriteNothing: whatever names are read, and what is ephemeral,
// leaves the file as it is; so does a node with nothing to do, but for the base,
// which moves up once a day.
func TestBoltReadersWriteNothing(t *testing.T) {
	path := boltPath(t)
	synctest.Test(t, func(t *testing.T) {
		b := openBolt(t, path)
		appendText(t, b, "a", day, "x", "")
		before := fileSum(t, path)
		broker := streams.NewBroker(streams.BrokerOptions{Log: b, Node: "n"})
		for i := range 1000 {
			name := fmt.Sprint("made up ", i)
			headOf(t, b, name)
			readAll(t, b, name)
			if _, err := b.Append(t.Context(), name, day, []streams.Draft{{Data: []byte("1"), Ephemeral: true}}); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Minute)
		if err := broker.Ready(); err != nil {
			t.Fatal(err)
		}
		if err := broker.Close(); err != nil {
			t.Fatal(err)
		}
		if fileSum(t, path) != before {
			t.Fatal("the file was written to")
		}
	})
}

func fileSum(t *testing.T, path string) [sha256.Size]byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return sha256.Sum256(content)
}

// TestBoltKeysExpire also looks into the file: an expired key takes no room.
func TestBoltKeysExpire(t *testing.T) {
	path := boltPath(t)
	synctest.Test(t, func(t *testing.T) {
		b := openBolt(t, path)
		testKeysExpire(t, b)
		for round := range 10 {
			drafts := make([]streams.Draft, 500)
			for i := range drafts {
				drafts[i] = streams.Draft{Data: []byte("x"), Key: fmt.Sprint(round, " ", i), Ephemeral: true}
			}
			if _, err := b.Append(t.Context(), "a", day, drafts); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
		}
		time.Sleep(streams.KeyLife + 2*time.Minute)
		closeBolt(t, b)
	})
	inBolt(t, path, func(tx *bbolt.Tx) error {
		for _, name := range []string{"keys", "expiry"} {
			if k, _ := tx.Bucket([]byte(name)).Cursor().First(); k != nil {
				t.Errorf("%s still has %x", name, k)
			}
		}
		return nil
	})
}

// inBolt changes the file behind the engine's back.
func inBolt(t *testing.T, path string, change func(*bbolt.Tx) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Update(change), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestBoltTrimsMuch lowers a retention: what is over goes little by little,
// and all of it.
func TestBoltTrimsMuch(t *testing.T) {
	b := openBoltWith(t, boltPath(t), streams.BoltOptions{SweepEvery: 20 * time.Millisecond})
	drafts := make([]streams.Draft, 9000)
	for i := range drafts {
		drafts[i].Data = []byte("1")
	}
	if _, err := b.Append(t.Context(), "a", streams.Retention{Count: 9000, Age: time.Hour}, drafts); err != nil {
		t.Fatal(err)
	}
	last := appendText(t, b, "a", streams.Retention{Count: 10, Age: time.Hour}, "last", "")
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		page := readAll(t, b, "a")
		if n := len(page.Events); n == 10 && page.Events[0].ID.N == last.N-9 {
			return
		} else if n < 10 || time.Now().After(deadline) {
			t.Fatalf("%d events", n)
		}
	}
}

// TestBoltGone: a caller that goes while its change waits is told that the
// outcome is unknown, and finds it out with the idempotency key.
func TestBoltGone(t *testing.T) {
	b := openBolt(t, boltPath(t))
	enter, leave := make(chan struct{}), make(chan struct{})
	defer b.Follow("slow", &slow{enter, leave})()
	var publishers sync.WaitGroup
	publishers.Go(func() { appendText(t, b, "slow", day, "x", "") })
	<-enter // the committer is busy telling
	ctx, cancel := context.WithCancel(t.Context())
	outcome := make(chan error)
	go func() {
		_, err := b.Append(ctx, "a", day, []streams.Draft{{Data: []byte("x"), Text: true, Key: "k"}})
		outcome <- err
	}()
	cancel()
	err := <-outcome
	unknown := errors.Is(err, streams.ErrUnknownOutcome)
	if !unknown && !errors.Is(err, streams.ErrUnavailable) {
		t.Errorf("Append: %v", err)
	}
	close(leave)
	publishers.Wait()
	if id := appendText(t, b, "a", day, "x", "k"); id.N != 1 {
		t.Errorf("appended twice: %v", id)
	}
}

// TestBoltBadRecord: a channel whose record cannot be read fails alone.
func TestBoltBadRecord(t *testing.T) {
	path := boltPath(t)
	closeBolt(t, openBolt(t, path))
	inBolt(t, path, func(tx *bbolt.Tx) error {
		return tx.Bucket([]byte("channels")).Put([]byte("bad"), []byte("no record"))
	})
	b := openBolt(t, path)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				appendText(t, b, "good", day, "x", "")
				_, err := b.Append(t.Context(), "bad", day, []streams.Draft{{Data: []byte("1")}})
				if !errors.Is(err, streams.ErrUnavailable) {
					t.Errorf("Append: %v", err)
				}
			}
		})
	}
	all.Wait()
	if head := headOf(t, b, "good"); head.Last.N != 160 {
		t.Fatalf("%v", head.Last)
	}
	if _, err := b.Range(t.Context(), "bad", streams.Query{Events: 1}); !errors.Is(err, streams.ErrUnavailable) {
		t.Fatalf("Range: %v", err)
	}
}

func TestBoltBadName(t *testing.T) {
	b := openBolt(t, boltPath(t))
	for _, name := range []string{"", string(make([]byte, 256))} {
		if _, err := b.Append(t.Context(), name, day, nil); !errors.Is(err, streams.ErrBadChannel) {
			t.Fatalf("Append: %v", err)
		}
	}
}
