package streams_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"runnel/streams"
)

// boltChild names what TestBoltChild is to do, in a process of its own.
const boltChild = "RUNNEL_TEST_BOLT_CHILD"

// startChild starts this test program again to do that to the file.
func startChild(t *testing.T, role, path string, args ...string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBoltChild$")
	child.Env = append(os.Environ(), boltChild+"="+role+" "+path+" "+strings.Join(args, " "))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	return child, bufio.NewReader(out)
}

func TestBoltChild(t *testing.T) {
	role := strings.Fields(os.Getenv(boltChild))
	if len(role) == 0 {
		t.Skip("other tests run it in a process of its own")
	}
	switch role[0] {
	case "publish":
		publishUntilKilled(t, role[1], role[2:])
	case "fill":
		fillUntilFull(t, role[1])
	}
}

// publishUntilKilled publishes "p i" from each publisher's next number on and
// writes a line for each that is acknowledged.
func publishUntilKilled(t *testing.T, path string, next []string) {
	b := openBolt(t, path)
	var all sync.WaitGroup
	for p, from := range next {
		all.Go(func() {
			var i int
			fmt.Sscan(from, &i)
			for ; ; i++ {
				text := fmt.Sprint(p, " ", i)
				id := appendText(t, b, fmt.Sprint("c", p%2), day100k, text, text)
				fmt.Printf("%v %s\n", id, text)
			}
		})
	}
	all.Wait()
}

// day100k keeps all that these tests publish.
var day100k = streams.Retention{Count: 1 << 20, Age: 24 * time.Hour}

// TestBoltKilled kills a publishing process with -9, again and again: what it
// acknowledged is there under its ID, and what it published again with the
// same key because it did not know is there once.
func TestBoltKilled(t *testing.T) {
	const publishers, kills = 6, 10
	path := boltPath(t)
	next := make([]int, publishers)
	acknowledged := map[string]string{}
	for range kills {
		child, lines := startChild(t, "publish", path, strings.Fields(strings.Trim(fmt.Sprint(next), "[]"))...)
		for n := 20 + rand.IntN(300); n > 0; n-- {
			takeLine(t, lines, acknowledged, next)
		}
		if err := child.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for takeLine(t, lines, acknowledged, next) {
		}
		if err := child.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
	}
	checkKilled(t, openBolt(t, path), acknowledged)
}

// takeLine reads a line of the child's; false at the end.
func takeLine(t *testing.T, lines *bufio.Reader, acknowledged map[string]string, next []int) bool {
	t.Helper()
	line, err := lines.ReadString('\n')
	if err != nil {
		return false
	}
	var id string
	var p, i int
	if _, err := fmt.Sscan(line, &id, &p, &i); err != nil {
		t.Fatalf("the child says %q", line)
	}
	if before, ok := acknowledged[fmt.Sprint(p, " ", i)]; ok && before != id {
		t.Fatalf("%d %d was acknowledged as %s and as %s", p, i, before, id)
	}
	acknowledged[fmt.Sprint(p, " ", i)] = id
	next[p] = max(next[p], i+1)
	return true
}

func checkKilled(t *testing.T, b *streams.Bolt, acknowledged map[string]string) {
	t.Helper()
	next := map[string]int{}
	for _, channel := range []string{"c0", "c1"} {
		page := readAll(t, b, channel)
		last := page.Base
		for _, e := range page.Events {
			if e.Prev != last || e.ID.N != last.N+1 || !last.Less(e.ID) {
				t.Fatalf("%v after %v follows %v", e.ID, e.Prev, last)
			}
			last = e.ID
			p, i, _ := strings.Cut(string(e.Data), " ")
			if i != fmt.Sprint(next[p]) {
				t.Fatalf("%v is number %s of publisher %s, want %d", e.ID, i, p, next[p])
			}
			next[p]++
			if id, ok := acknowledged[string(e.Data)]; ok && id != e.ID.String() {
				t.Fatalf("%q was acknowledged as %s, is %v", e.Data, id, e.ID)
			}
			delete(acknowledged, string(e.Data))
		}
		if page.Last != last {
			t.Fatalf("the head is %v, the last event %v", page.Last, last)
		}
	}
	if len(acknowledged) > 0 {
		t.Fatalf("%d acknowledged events are lost: %v", len(acknowledged), acknowledged)
	}
}

func TestBoltDiskFull(t *testing.T) {
	child, out := startChild(t, "fill", boltPath(t))
	said, _ := io.ReadAll(out)
	if err := child.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
}

// fillUntilFull lets the file grow to some size only, twice, and goes on when
// there is room again. Without that room nothing is appended and nobody hears
// of anything.
func fillUntilFull(t *testing.T, path string) {
	signal.Ignore(syscall.SIGXFSZ)
	b := openBolt(t, path)
	heard := &counter{}
	defer b.Follow("a", heard)()
	acknowledged := 0
	for _, size := range []uint64{1 << 20, 40 << 20} {
		limitFileSize(t, size)
		full := false
		for !full {
			results, err := b.Append(t.Context(), "a", day100k, []streams.Draft{{Data: make([]byte, 100_000), Text: true}})
			switch {
			case err == nil:
				acknowledged++
				if results[0].ID.N != uint64(acknowledged) {
					t.Fatalf("%v is number %d", results[0].ID, acknowledged)
				}
			case !errors.Is(err, streams.ErrUnavailable) || errors.Is(err, streams.ErrUnknownOutcome):
				t.Fatalf("Append: %v", err)
			default:
				full = true
			}
		}
		if n := len(readAll(t, b, "a").Events); n != acknowledged || heard.events != acknowledged || n == 0 {
			t.Fatalf("%d events were acknowledged, %d are there, %d were heard of", acknowledged, n, heard.events)
		}
		if size == 1<<20 { // a larger file may have pages free
			checkHeadsWhileFull(t, b, uint64(acknowledged))
		}
	}
	limitFileSize(t, 1<<40)
	if id := appendText(t, b, "a", day100k, "there is room again", ""); id.N != uint64(acknowledged+1) {
		t.Fatalf("%v follows number %d", id, acknowledged)
	}
}

// checkHeadsWhileFull: who asks for channels needs no room, whether they ever
// had an event or not.
func checkHeadsWhileFull(t *testing.T, b *streams.Bolt, last uint64) {
	t.Helper()
	names := []string{"a"}
	for i := range 8_000 { // more than there would be room for
		names = append(names, fmt.Sprint("new", i))
	}
	heads, err := b.Heads(t.Context(), names)
	if err != nil || heads[0].Last.N != last || heads[1].Base.IsZero() {
		t.Fatalf("known %+v, new %+v, %v", heads[:min(1, len(heads))], heads[min(1, len(heads)):min(2, len(heads))], err)
	}
}

// Before a transaction took effect its failure is none of the next one's; after,
// nobody knows what a crash would leave: that is said, and nothing is built on it.
func TestBoltFailsAtTheLastStep(t *testing.T) {
	path := boltPath(t)
	b := openBolt(t, path)
	heard := &counter{}
	defer b.Follow("a", heard)()
	failing := errors.New("the disk is broken")
	publish := func(key string) error {
		_, err := b.Append(t.Context(), "a", day, []streams.Draft{{Data: []byte(key), Text: true, Key: key}})
		return err
	}
	finishBy := func(finish func(*bbolt.Tx) error) {
		t.Helper()
		if err := b.FinishBy(t.Context(), finish); err != nil {
			t.Fatal(err)
		}
	}
	finishBy(func(tx *bbolt.Tx) error { return errors.Join(tx.Rollback(), failing) })
	if err := publish("1"); !errors.Is(err, streams.ErrUnavailable) || !errors.Is(err, failing) {
		t.Error("before it took effect:", err)
	}
	finishBy((*bbolt.Tx).Commit)
	if err := publish("1"); err != nil {
		t.Error("on a disk that works again:", err)
	}
	finishBy(func(tx *bbolt.Tx) error { return errors.Join(tx.Commit(), failing) })
	if err := publish("2"); !errors.Is(err, streams.ErrUnknownOutcome) {
		t.Error("after it took effect:", err)
	}
	if err := publish("3"); !errors.Is(err, streams.ErrUnavailable) {
		t.Error("on top of what is not known:", err)
	}
	if heard.events != 1 || heard.resyncs != 2 { // the first where following begins
		t.Errorf("the follower heard %d events and %d times to read anew", heard.events, heard.resyncs)
	}
	closeBolt(t, b)
	b = openBolt(t, path)
	if err := publish("2"); err != nil {
		t.Error(err)
	}
	if events := readAll(t, b, "a").Events; len(events) != 2 {
		t.Errorf("%d events after the retry", len(events))
	}
}

func limitFileSize(t *testing.T, size uint64) {
	t.Helper()
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
	limit.Cur = min(size, limit.Max)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		t.Fatal(err)
	}
}

// counter counts what it hears; it is read when nothing is under way.
type counter struct{ events, resyncs int }

func (c *counter) Deliver(*streams.Event) { c.events++ }
func (c *counter) Resync()                { c.resyncs++ }
