package streamstest

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RedisServer is a real redis-server of a test's own, with a directory of its
// own, gone when the test is over.
type RedisServer struct {
	Addr string // host:port; the same after Restart

	tb   testing.TB
	dir  string
	args []string
	cmd  *exec.Cmd     // nil while it does not run
	gone chan struct{} // closed when cmd has ended
}

// redisWait is how long a server may take to start or stop on a busy machine.
const redisWait = 20 * time.Second

// StartRedis starts redis-server on a free port of the loopback, without
// persistence unless args ask for it ("--appendonly", "yes"), and returns when
// it answers.
func StartRedis(tb testing.TB, args ...string) *RedisServer {
	tb.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		tb.Fatalf("the tests need redis-server: %v", err)
	}
	s := &RedisServer{tb: tb, dir: tb.TempDir(), args: args}
	tb.Cleanup(s.Kill)
	// Somebody else can take the free port first.
	for range 5 {
		s.Addr = freeAddr(tb)
		if s.start() {
			return s
		}
	}
	tb.Fatalf("redis-server does not start: %s", s.log())
	return nil
}

func freeAddr(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// URL is where a client finds the server.
func (s *RedisServer) URL() string { return "redis://" + s.Addr }

// Kill ends the server as kill -9 does; what it had not written is lost.
func (s *RedisServer) Kill() { s.end(syscall.SIGKILL) }

// Stop asks the server to end and waits until it has.
func (s *RedisServer) Stop() { s.end(syscall.SIGTERM) }

// Pause stops the process where it is: connections stay and nothing answers.
func (s *RedisServer) Pause() { s.signal(syscall.SIGSTOP) }

// Resume undoes Pause.
func (s *RedisServer) Resume() { s.signal(syscall.SIGCONT) }

// Restart starts the server again after Kill or Stop, at the same address and
// with the same files.
func (s *RedisServer) Restart() {
	s.tb.Helper()
	if s.cmd != nil {
		s.tb.Fatal("redis-server is still running")
	}
	if !s.start() {
		s.tb.Fatalf("redis-server does not start again: %s", s.log())
	}
}

func (s *RedisServer) signal(sig syscall.Signal) {
	s.tb.Helper()
	if s.cmd == nil {
		s.tb.Fatal("redis-server is not running")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.tb.Fatal(err)
	}
}

func (s *RedisServer) end(sig syscall.Signal) {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Signal(sig)
	// One that hangs must not hang the tests.
	timer := time.AfterFunc(redisWait, func() { _ = s.cmd.Process.Kill() })
	<-s.gone
	timer.Stop()
	s.cmd = nil
}

// start reports whether the server came up.
func (s *RedisServer) start() bool {
	s.tb.Helper()
	host, port, _ := net.SplitHostPort(s.Addr)
	args := append([]string{"--bind", host, "--port", port, "--dir", s.dir,
		"--save", "", "--appendonly", "no", "--logfile", "redis.log"}, s.args...)
	cmd, gone := exec.Command("redis-server", args...), make(chan struct{})
	if err := cmd.Start(); err != nil {
		s.tb.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		close(gone)
	}()
	s.cmd, s.gone = cmd, gone
	for deadline := time.Now().Add(redisWait); time.Now().Before(deadline) && !s.exited(); {
		if s.answers() {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.Kill()
	return false
}

func (s *RedisServer) exited() bool {
	select {
	case <-s.gone:
		return true
	default:
		return false
	}
}

// answers reports whether the server takes commands, or wants a password first.
func (s *RedisServer) answers() bool {
	conn, err := net.DialTimeout("tcp", s.Addr, time.Second)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := io.WriteString(conn, "PING\r\n"); err != nil {
		return false
	}
	line, _ := bufio.NewReader(conn).ReadString('\n')
	return (strings.HasPrefix(line, "+PONG") || strings.HasPrefix(line, "-NOAUTH")) && !s.exited()
}

func (s *RedisServer) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	if err != nil {
		return fmt.Sprint("no log: ", err)
	}
	return string(text)
}
