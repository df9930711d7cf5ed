package server

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"runnel/worktest"
)

// linesOf is the intake of a body whose deadlines are never reached.
func linesOf(body io.Reader) *intake {
	return take(lineBody{Reader: body, deadline: func(time.Time) error { return nil }}, 1<<20)
}

// TestIntakeHoldsNoLineBack: however a body is cut, a line that has come whole
// is handed over before the next one comes; a batch has its bound.
func TestIntakeHoldsNoLineBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lines := rapid.SliceOfN(rapid.SampledFrom([]string{"{}", "x", `{"channel":"a","data":1}`, strings.Repeat("y", intakeBuffer)}), 1, 600).Draw(t, "lines")
		rest := strings.Join(lines, "\n") + "\n"
		body, sender := net.Pipe() // a write ends when all of it was read
		defer body.Close()
		in := linesOf(body)
		came, whole := 0, 0
		for len(rest) > 0 {
			n := rapid.IntRange(1, min(len(rest), 3*intakeBuffer)).Draw(t, "n")
			piece := rest[:n]
			rest = rest[n:]
			whole += strings.Count(piece, "\n")
			written := make(chan error, 1)
			go func() {
				_, err := io.WriteString(sender, piece)
				written <- err
			}()
			for came < whole {
				batch := <-in.batches
				if came += len(batch); len(batch) > intakeItems {
					t.Fatalf("a batch of %d", len(batch))
				}
			}
			if err := <-written; err != nil {
				t.Fatal(err)
			}
		}
		sender.Close()
		if _, more := <-in.batches; more || came != len(lines) || in.err != nil {
			t.Fatalf("%d of %d lines, %v", came, len(lines), in.err)
		}
	})
}

// TestWorkOnPublishStreams is on its lines, as they come.
func TestWorkOnPublishStreams(t *testing.T) {
	for _, piece := range []string{"\n", "x\n", " ", "\r\n", "{", `{"a":"\\\\"`, strings.Repeat("x", 300) + "\n"} {
		worktest.Linear(t, func(n int) string { return strings.Repeat(piece, n/len(piece)) }, func(body string) {
			in := &intake{maxLine: int(maxMessage(64 << 10)), batches: make(chan []batchItem, 8192), stopped: make(chan struct{})}
			in.read(bufio.NewReaderSize(strings.NewReader(body), intakeBuffer))
		})
	}
}
