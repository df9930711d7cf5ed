package server

import (
	"io"
	"net/http/httputil"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runnel/streams"
)

// TestChunks: any blocks come out of the chunks as they went in, and without
// the last chunk the body is cut.
func TestChunks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body, want := []byte("as it was"), ""
		head := len(body)
		for _, block := range rapid.SliceOfN(rapid.StringN(1, 5000, -1), 1, 20).Draw(t, "blocks") {
			from := len(body)
			body = appendedChunk(append(body, block...), from)
			if got := string(chunkContent(body[from:])); got != block {
				t.Fatalf("%q holds %q", body[from:], got)
			}
			want += block
		}
		for end, wrong := range map[string]error{"": io.ErrUnexpectedEOF, lastChunk: nil} {
			got, err := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(string(body[head:]) + end)))
			if string(got) != want || err != wrong {
				t.Fatalf("with %q at its end: %v, %q", end, err, got)
			}
		}
	})
}

// TestAChunkIsABlock: whatever a feed says goes as chunks of one block each,
// and is the same as without them.
func TestAChunkIsABlock(t *testing.T) {
	e := &streams.Event{ID: testID, Type: "moved", Text: true, Data: []byte("a\n\nb")}
	gap := &streams.Gap{Channel: "c", Reason: streams.Unknown}
	said := map[string]func(transport) []byte{
		"event":     func(t transport) []byte { return t.event(nil, "c", e) },
		"position":  func(t transport) []byte { return t.position(nil, "c", testID) },
		"gap":       func(t transport) []byte { return t.gap(nil, gap) },
		"heartbeat": func(t transport) []byte { return t.heartbeat(nil, []byte(`{"time":1}`)) },
		"expiring":  func(t transport) []byte { return t.expiring(nil, testID.Time()) },
	}
	for name, say := range said {
		for _, many := range []bool{false, true} {
			whole, chunk := say(sse{}), say(sse{chunks: true})
			if many {
				whole, chunk = say(&sseMany{}), say(&sseMany{sse: sse{chunks: true}})
			}
			if text, rest := unchunked(t, string(chunk)); text != string(whole) || rest != "" {
				t.Errorf("%s: %q and then %q, want %q", name, text, rest, whole)
			}
		}
	}
	for _, why := range []*apiError{errDraining, errExpired, fault(codeForbidden, "go")} {
		text, rest := unchunked(t, string(sse{chunks: true}.goodbye(nil, why)))
		if len(parseSSE(text)) != 1 || rest == lastChunk != (why.code == codeForbidden) {
			t.Errorf("%s: %q and then %q", why.code, text, rest)
		}
	}
}

// unchunked takes a body apart that is cut or ends, and checks that each chunk
// is a block. It returns the text of whole chunks, and what follows them.
func unchunked(t testing.TB, body string) (text, rest string) {
	t.Helper()
	for {
		digits, after, _ := strings.Cut(body, "\r\n")
		size, err := strconv.ParseInt(digits, 16, 32)
		if err != nil && digits != "" {
			t.Fatalf("no chunk: %q", body)
		}
		if size == 0 || len(after) < int(size)+2 {
			return text, body
		}
		block := after[:size]
		if strings.Index(block, "\n\n") != len(block)-2 || after[size:size+2] != "\r\n" {
			t.Fatalf("a chunk is not one block: %q", body)
		}
		text, body = text+block, after[size+2:]
	}
}
