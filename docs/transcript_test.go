package docs

import (
	"fmt"
	"strings"
	"testing"

	"runnel/hubtest"
	"runnel/streams/streamstest"
)

// The keys of the hubs of protocol.md.
const (
	apiKey    = "an-api-key-of-the-documents"
	jwtSecret = "a secret of the documents, long enough for HS256"
)

// step is a line of a transcript.
type step struct {
	line int
	sign string // ">" client, "<" hub, "<?" hub, in any order among its neighbours; "!" what happens besides
	text string
}

// block is a transcript: what happens on one connection after the other.
type block struct {
	name  string
	line  int
	steps []step
}

// scene is a hub and the transcripts with it, in their order.
type scene struct {
	flags  string
	tokens map[string]string // by placeholder: flags of runnel token
	blocks []block
}

// readScenes returns the transcripts of a document. A comment "hub: FLAGS"
// begins a scene, "token-x: FLAGS" names a token of it.
func readScenes(text string) (scenes []*scene, err error) {
	for _, f := range fences(text) {
		for _, note := range f.notes {
			name, flags, ok := strings.Cut(note, ": ")
			switch {
			case !ok && note != "hub:":
			case name == "hub" || note == "hub:":
				scenes = append(scenes, &scene{flags: flags, tokens: map[string]string{}})
			case strings.HasPrefix(name, "token-") && len(scenes) > 0:
				scenes[len(scenes)-1].tokens["<"+name+">"] = flags
			default:
				return nil, fmt.Errorf("line %d: a comment before it that says nothing here: %q", f.line, note)
			}
		}
		name, isTranscript := strings.CutPrefix(f.info, "transcript ")
		if !isTranscript {
			continue
		}
		if len(scenes) == 0 {
			return nil, fmt.Errorf("line %d: a transcript without a hub", f.line)
		}
		b, err := readBlock(name, f)
		if err != nil {
			return nil, err
		}
		s := scenes[len(scenes)-1]
		s.blocks = append(s.blocks, b)
	}
	return scenes, nil
}

func readBlock(name string, f fence) (block, error) {
	b := block{name: name, line: f.line}
	for i, line := range f.lines {
		sign, text, _ := strings.Cut(line, " ")
		switch sign {
		case ">", "<", "<?", "!":
			b.steps = append(b.steps, step{f.line + i, sign, text})
		default:
			return b, fmt.Errorf("line %d is no line of a transcript: %q", f.line+i, line)
		}
	}
	return b, nil
}

// TestTranscripts replays every transcript of the documents.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for path, least := range map[string]int{"docs/protocol.md": 8, "docs/operations.md": 2} {
		scenes, err := readScenes(document(t, path))
		if err != nil {
			t.Fatal(path, err)
		}
		if len(scenes) < least {
			t.Errorf("%s: %d hubs: the transcripts are not found", path, len(scenes))
		}
		for _, s := range scenes {
			t.Run(s.blocks[0].name, func(t *testing.T) {
				t.Parallel()
				s.replay(t, path)
			})
		}
	}
}

func (s *scene) replay(t *testing.T, path string) {
	r := &replay{t: t, path: path, tokens: s.tokens, known: values{"<api-key>": apiKey}}
	var args []string
	for _, arg := range strings.Fields(s.flags) {
		switch arg {
		case "<api-key>":
			arg = apiKey
		case "<jwt-secret>":
			arg = jwtSecret
		case "<redis>":
			r.redis = streamstest.StartRedis(t)
			arg = r.redis.URL()
		}
		args = append(args, arg)
	}
	r.keys = strings.Contains(s.flags, "<api-key>")
	r.hub = hubtest.Launch(t, nil, args...)
	if !strings.Contains(s.flags, "127.0.0.1:1 ") {
		r.hub.AwaitReady()
	}
	r.known["<host>"], r.known["<node>"] = r.hub.Addr, r.hub.Name
	for _, b := range s.blocks {
		r.block(b)
	}
}
