package e2e

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"runnel/hubtest"
)

// mostHeld is what the hub may take beside --memory and tails, whatever peers
// do.
const mostHeld = 200 << 20

// TestAttacksHoldLittle: peers send what costs most and take nothing of what
// comes; the memory that the system sees stays near the budgets.
func TestAttacksHoldLittle(t *testing.T) {
	t.Parallel()
	// The race detector makes of all memory several times as much.
	program, err := hubtest.Build(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const memory, tails = 32 << 20, 64 << 20
	for name, attack := range map[string]func(*attackers){
		"errors":               (*attackers).askWrongly,
		"errors, deflated":     func(a *attackers) { a.askDeflated(`{"type":"` + strings.Repeat(`\u0001`, 20_000) + `"}`) },
		"backslashes":          func(a *attackers) { a.askDeflated(`{"x":"` + strings.Repeat(`\\`, 65_500)) },
		"history of one user":  func(a *attackers) { a.askHistory(1) },
		"history of five":      func(a *attackers) { a.askHistory(5) },
		"pages of five":        func(a *attackers) { a.askPages(5) },
		"floods of pongs":      (*attackers).floodPongs,
		"feeds that are stuck": (*attackers).openFeeds,
	} {
		t.Run(name, func(t *testing.T) {
			a := &attackers{t: t, n: &node{hubtest.StartProgram(t, program, "--jwt-secret", secret, "--api-key", apiKey, "--memory", "32MiB", "--max-connections-per-ip", "0"), t}}
			for i := range 40 {
				a.n.published(a.n.post("c", "", strings.Repeat("\x01", 60<<10)+fmt.Sprint(i), asText, "Authorization: Bearer "+apiKey))
			}
			attack(a)
			most := 0
			for until := time.Now().Add(2 * time.Second); time.Now().Before(until); time.Sleep(50 * time.Millisecond) {
				most = max(most, a.resident())
			}
			t.Logf("%d MiB", most>>20)
			if most > memory+tails+mostHeld {
				t.Errorf("the hub takes %d MiB", most>>20)
			}
		})
	}
}

// attackers are connections whose peers read nothing.
type attackers struct {
	t *testing.T
	n *node
}

func (a *attackers) token(user int) string {
	return sign(a.t, secret, map[string]any{"sub": fmt.Sprint("user", user), "exp": time.Now().Add(time.Hour).Unix(),
		"runnel": map[string]any{"subscribe": []string{"**"}}})
}

// dial opens a connection with a small buffer and sends on it, for as long as
// the test goes on.
func (a *attackers) dial(first string, then string, times int) {
	conn, err := net.Dial("tcp", a.n.Addr)
	if err != nil {
		a.t.Fatal(err)
	}
	conn.(*net.TCPConn).SetReadBuffer(4 << 10)
	a.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	go func() {
		io.WriteString(conn, first)
		for range times {
			if _, err := io.WriteString(conn, then); err != nil {
				return
			}
		}
	}()
}

const upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

func (a *attackers) askWrongly() {
	long := `{"type":"` + strings.Repeat(`\u0001`, 8000) + `"}`
	message := string([]byte{0x81, 0xfe, byte(len(long) >> 8), byte(len(long)), 0, 0, 0, 0}) + long
	for i := range 300 {
		a.dial("GET /ws?access_token="+a.token(i/20)+" HTTP/1.1\r\nHost: x\r\n"+upgrade, message, 60)
	}
}

// askDeflated has peers without a token send much in little: a message, in
// some hundred bytes.
func (a *attackers) askDeflated(text string) {
	var b bytes.Buffer
	w, _ := flate.NewWriter(&b, flate.BestCompression)
	io.WriteString(w, text)
	w.Flush()
	packed := bytes.TrimSuffix(b.Bytes(), []byte("\x00\x00\xff\xff"))
	message := string([]byte{0xc1, 0xfe, byte(len(packed) >> 8), byte(len(packed)), 0, 0, 0, 0}) + string(packed)
	a.askOne(message)
	for range 300 {
		a.dial("GET /ws HTTP/1.1\r\nHost: x\r\n"+offer+"\r\n"+upgrade, message, 5)
	}
}

// askOne sends a few of the messages, and fails unless each is refused for what
// it says, and costs little.
func (a *attackers) askOne(message string) {
	const few = 10
	before := a.worked()
	s := openSocket(a.t, a.n.Addr, "/ws", offer)
	for range few {
		io.WriteString(s.conn, message)
		if m := s.read(); m.Type != "error" {
			a.t.Fatalf("the answer is %.200s", m.raw)
		}
	}
	if took := a.worked() - before; took > few*100*time.Millisecond {
		a.t.Errorf("%d messages cost %v", few, took)
	}
}

// worked is how long the hub has had a processor.
func (a *attackers) worked() time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", a.n.Pid()))
	if err != nil {
		a.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	var ticks time.Duration
	for _, field := range strings.Fields(rest)[11:13] { // of programs, and of the system for it
		n, err := strconv.Atoi(field)
		if err != nil {
			a.t.Fatal(err)
		}
		ticks += time.Duration(n)
	}
	return ticks * time.Second / 100
}

func (a *attackers) askHistory(users int) {
	ask := maskedFrame(`{"type":"history","channel":"c","limit":1000}`)
	for i := range 20 * users {
		a.dial("GET /ws?access_token="+a.token(i/20)+" HTTP/1.1\r\nHost: x\r\n"+upgrade, ask, 40)
	}
}

func (a *attackers) askPages(users int) {
	for i := range 10 * users {
		get := "GET /channels/c/events?limit=1000&access_token=" + a.token(i/10) + " HTTP/1.1\r\nHost: x\r\n\r\n"
		a.dial(get, get, 20)
	}
}

func (a *attackers) floodPongs() {
	for range 20 {
		a.dial("GET /ws HTTP/1.1\r\nHost: x\r\n"+upgrade, strings.Repeat("\x8a\x80abcd", 2000), 5000)
	}
}

func (a *attackers) openFeeds() {
	for i := range 300 {
		path := "/ws?channel=c&last_event_id=earliest&"
		a.dial("GET "+path+"access_token="+a.token(i/20)+" HTTP/1.1\r\nHost: x\r\n"+upgrade, "", 0)
	}
}

// resident is how much of the hub's memory the system keeps.
func (a *attackers) resident() int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.n.Pid()))
	if err != nil {
		a.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		a.t.Fatal(err)
	}
	return kib << 10
}
