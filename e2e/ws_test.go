package e2e

import (
	"bufio"
	"bytes"
	"compress/flate"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
)

// Opcodes of RFC 6455 section 5.2.
const (
	opContinue = 0x0
	opText     = 0x1
	opBinary   = 0x2
	opClose    = 0x8
	opPing     = 0x9
	opPong     = 0xA
)

// closed is the error of a read after the hub's close frame.
type closed struct {
	code   int
	reason string
}

func (c closed) Error() string { return fmt.Sprintf("closed with %d %q", c.code, c.reason) }

// message is what the hub sends over a WebSocket: the members of every type.
type message struct {
	envelope
	raw         string
	Ref         json.RawMessage
	LastEventID string `json:"last_event_id"`
	Code        string
	Message     string
	User        *string
	ExpiresAt   *string `json:"expires_at"`
	Connection  string
	Node        string
	Heartbeat   float64
	After       *string
	ResumedAt   *string `json:"resumed_at"`
	Missed      *int
	Reason      string
	Events      []envelope
	Gap         *gap
	More        bool
}

// socket is a WebSocket that a test talks over: one goroutine reads, one may
// send meanwhile.
type socket struct {
	t     testing.TB
	conn  net.Conn
	r     *bufio.Reader
	pongs []string    // payloads of the pongs that came
	bye   atomic.Bool // a close frame was sent

	deflates bool // permessage-deflate was agreed on
	inflated int  // messages that came compressed
}

// openSocket makes the handshake.
func openSocket(t testing.TB, addr, path string, headers ...string) *socket {
	t.Helper()
	s, a, err := trySocket(t, addr, path, headers...)
	if err != nil {
		t.Fatalf("WebSocket %s: %v", path, err)
	}
	if s == nil {
		t.Fatalf("WebSocket %s: status %d: %s", path, a.status, a.body)
	}
	t.Cleanup(s.close)
	return s
}

// trySocket returns the hub's answer where it did not switch protocols.
func trySocket(t testing.TB, addr, path string, headers ...string) (*socket, answer, error) {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, answer{}, err
	}
	s := newSocket(t, conn)
	a, err := s.handshake(path, headers)
	if err != nil || a.status != http.StatusSwitchingProtocols {
		conn.Close()
		return nil, a, err
	}
	return s, a, nil
}

func newSocket(t testing.TB, conn net.Conn) *socket {
	return &socket{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (s *socket) handshake(path string, headers []string) (answer, error) {
	s.conn.SetDeadline(time.Now().Add(patience))
	nonce := make([]byte, 16)
	rand.Read(nonce)
	key := base64.StdEncoding.EncodeToString(nonce)
	head := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\n", path, s.conn.RemoteAddr(), key)
	for _, h := range headers {
		head += h + "\r\n"
	}
	if _, err := io.WriteString(s.conn, head+"\r\n"); err != nil {
		return answer{}, err
	}
	resp, err := http.ReadResponse(s.r, nil)
	if err != nil {
		return answer{}, err
	}
	a := answer{status: resp.StatusCode, header: resp.Header}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		a.body, err = io.ReadAll(resp.Body)
		return a, err
	}
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	if got := resp.Header.Get("Sec-WebSocket-Accept"); got != base64.StdEncoding.EncodeToString(sum[:]) {
		return a, fmt.Errorf("wrong Sec-WebSocket-Accept %q", got)
	}
	s.deflates = strings.HasPrefix(resp.Header.Get("Sec-WebSocket-Extensions"), "permessage-deflate")
	return a, nil
}

// close hangs up without a word.
func (s *socket) close() { s.conn.Close() }

// frame sends one masked frame.
func (s *socket) frame(opcode byte, fin bool, payload string) {
	s.t.Helper()
	if err := s.tryFrame(opcode, fin, payload); err != nil {
		s.t.Fatalf("sending: %v", err)
	}
}

func (s *socket) tryFrame(opcode byte, fin bool, payload string) error {
	if opcode == opClose {
		s.bye.Store(true)
	}
	if fin {
		opcode |= 0x80
	}
	b := []byte{opcode}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:])
	b = append(b, mask[:]...)
	for i := range len(payload) {
		b = append(b, payload[i]^mask[i%4])
	}
	s.conn.SetWriteDeadline(time.Now().Add(patience))
	_, err := s.conn.Write(b)
	return err
}

// send sends a message.
func (s *socket) send(text string) {
	s.t.Helper()
	s.frame(opText, true, text)
}

// receive reads one frame.
func (s *socket) receive() (opcode byte, fin bool, payload []byte, err error) {
	var head [2]byte
	if _, err = io.ReadFull(s.r, head[:]); err != nil {
		return
	}
	opcode, fin = head[0]&0xF, head[0]&0x80 != 0
	packed := s.deflates && head[0]&0x70 == 0x40 && opcode == opText && fin
	if head[0]&0x70 != 0 && !packed || head[1]&0x80 != 0 {
		return 0, false, nil, fmt.Errorf("a frame with reserved bits or a mask: %x", head)
	}
	size := uint64(head[1])
	switch size {
	case 126:
		var b [2]byte
		_, err = io.ReadFull(s.r, b[:])
		size = uint64(binary.BigEndian.Uint16(b[:]))
	case 127:
		var b [8]byte
		_, err = io.ReadFull(s.r, b[:])
		size = binary.BigEndian.Uint64(b[:])
	}
	if err != nil {
		return
	}
	if size > 8<<20 {
		return 0, false, nil, fmt.Errorf("a frame of %d bytes", size)
	}
	payload = make([]byte, size)
	if _, err = io.ReadFull(s.r, payload); err == nil && packed {
		s.inflated++
		payload, err = inflate(payload)
	}
	return
}

// inflate reads a compressed message (RFC 7692 section 7.2.2).
func inflate(packed []byte) ([]byte, error) {
	tail := strings.NewReader("\x00\x00\xff\xff\x01\x00\x00\xff\xff")
	return io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(packed), tail)))
}

// next reads the next message, answers pings, and returns closed when the hub
// closes the connection.
func (s *socket) next() (m message, err error) {
	s.conn.SetReadDeadline(time.Now().Add(patience))
	var text []byte
	for {
		opcode, fin, payload, err := s.receive()
		if err != nil {
			return m, err
		}
		switch opcode {
		case opPing:
			if err := s.tryFrame(opPong, true, string(payload)); err != nil {
				return m, err
			}
		case opPong:
			s.pongs = append(s.pongs, string(payload))
		case opClose:
			if !s.bye.Load() {
				s.tryFrame(opClose, true, string(payload))
			}
			if len(payload) < 2 {
				return m, closed{code: 1005}
			}
			return m, closed{int(binary.BigEndian.Uint16(payload)), string(payload[2:])}
		case opText, opContinue:
			if text = append(text, payload...); fin {
				return readMessage(text)
			}
		default:
			return m, fmt.Errorf("a frame with opcode %d", opcode)
		}
	}
}

func readMessage(text []byte) (m message, err error) {
	if !utf8.Valid(text) {
		return m, fmt.Errorf("a message that is no UTF-8: %q", text)
	}
	if err = json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%w: %q", err, text)
	}
	m.raw = string(text)
	return m, nil
}

// read reads the next message but for heartbeats.
func (s *socket) read() message {
	s.t.Helper()
	for {
		m, err := s.next()
		if err != nil {
			s.t.Fatalf("reading the WebSocket: %v", err)
		}
		if m.Type != "heartbeat" {
			return m
		}
	}
}

// want reads a message of that type.
func (s *socket) want(kind string) message {
	s.t.Helper()
	m := s.read()
	if m.Type != kind {
		s.t.Fatalf("the WebSocket brings %s, want %s", m.raw, kind)
	}
	return m
}

// wantError reads an error with that code.
func (s *socket) wantError(code string) message {
	s.t.Helper()
	m := s.want("error")
	if m.Code != code || m.Message == "" {
		s.t.Fatalf("the WebSocket brings %s, want the code %s", m.raw, code)
	}
	return m
}

// wantEvents reads events with these data, in order.
func (s *socket) wantEvents(data ...string) (ids []string) {
	s.t.Helper()
	for _, d := range data {
		m := s.want("event")
		if m.payload() != d {
			s.t.Fatalf("the WebSocket brings %s, want the data %q", m.raw, d)
		}
		ids = append(ids, m.ID)
	}
	return ids
}

// wantClose reads until the hub closes the connection, with that code, and
// returns what came before.
func (s *socket) wantClose(code int) (before []message) {
	s.t.Helper()
	for {
		m, err := s.next()
		if err == nil {
			before = append(before, m)
			continue
		}
		if c, ok := err.(closed); !ok || c.code != code {
			s.t.Fatalf("the WebSocket ends with %v, want the close code %d", err, code)
		}
		s.conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := s.r.ReadByte(); err != io.EOF {
			s.t.Fatalf("after the close handshake comes %v", err)
		}
		return before
	}
}

// subscribeSocket opens a WebSocket of a channel and returns its position.
func (n *node) subscribeSocket(channel, query string, headers ...string) (*socket, string) {
	n.t.Helper()
	s := openSocket(n.t, n.Addr, strings.TrimSuffix(events(channel), "events")+"ws"+query, headers...)
	s.want("welcome")
	return s, s.want("subscribed").LastEventID
}
