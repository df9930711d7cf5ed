package e2e

import (
	"bytes"
	"compress/flate"
	"fmt"
	"strings"
	"testing"
)

const offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"

// TestDeflate: who offers permessage-deflate gets large events compressed and
// small ones as they are; both read as they do without.
func TestDeflate(t *testing.T) {
	t.Parallel()
	n := startNode(t)
	packed := openSocket(t, n.Addr, "/channels/a/ws", offer)
	plain := openSocket(t, n.Addr, "/channels/a/ws")
	if !packed.deflates || plain.deflates {
		t.Fatal("agreed with the wrong one")
	}
	for _, s := range []*socket{packed, plain} {
		s.want("welcome")
		s.want("subscribed")
	}
	large := fmt.Sprintf(`{"items":[%s1]}`, strings.Repeat(`{"name":"reading","value":21.5,"ok":true},`, 50))
	for _, data := range []string{`"small"`, large, `"small again"`, large} {
		n.published(n.post("a", "", data, asJSON))
		a, b := packed.want("event"), plain.want("event")
		if a.raw != b.raw || string(a.Data) != data {
			t.Fatalf("compressed:\n%.300s\nplain:\n%.300s", a.raw, b.raw)
		}
	}
	if packed.inflated != 2 {
		t.Errorf("%d messages came compressed, want 2", packed.inflated)
	}

	packed.sendDeflated(`{"type":"publish","channel":"a","ref":1,"data":` + large + `}`)
	if m := plain.want("event"); string(m.Data) != large {
		t.Errorf("published compressed, it came as %.300s", m.raw)
	}
	bomb := openSocket(t, n.Addr, "/ws", offer)
	bomb.want("welcome")
	bomb.sendDeflated(`{"type":"ping","ref":"` + strings.Repeat("x", 16<<20) + `"}`)
	bomb.wantClose(1009)
}

// TestDeflateOff: it can be turned off.
func TestDeflateOff(t *testing.T) {
	t.Parallel()
	n := startNode(t, "--compress-from=0B")
	if s := openSocket(t, n.Addr, "/ws", offer); s.deflates {
		t.Error("agreed to compress")
	}
}

// sendDeflated sends a message as a compressed frame.
func (s *socket) sendDeflated(text string) {
	s.t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		s.t.Fatal(err)
	}
	w.Write([]byte(text))
	w.Flush()
	s.frame(0x40|opText, true, string(bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})))
}
