//go:build linux

package main

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// redisServer is a redis-server of the run's own, without persistence.
type redisServer struct {
	*server
	processes processes
	address   string
}

func startRedis(b *bench) (*redisServer, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	s, err := launch(b.fresh("redis"), "redis-server", nil, syscall.SIGKILL,
		"--port", strconv.Itoa(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
		"--maxmemory-policy", "noeviction")
	if err != nil {
		return nil, err
	}
	r := &redisServer{s, processes{s.cmd.Process.Pid}, fmt.Sprintf("127.0.0.1:%d", port)}
	if err := s.await(func([]byte) bool { _, err := r.commands(); return err == nil }); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

func (r *redisServer) stop() { r.server.stop(syscall.SIGKILL) }

// commands returns how many commands the server has run before this call.
func (r *redisServer) commands() (int64, error) {
	conn, err := net.DialTimeout("tcp", r.address, time.Second)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Second))
	if _, err := conn.Write([]byte("INFO stats\r\n")); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		if n, ok := strings.CutPrefix(lines.Text(), "total_commands_processed:"); ok {
			return strconv.ParseInt(n, 10, 64)
		}
	}
	return 0, fmt.Errorf("redis-server says nothing of its commands: %w", lines.Err())
}

// freePort returns a TCP port that was free just now, for servers that cannot
// choose one.
func freePort() (int, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// readAll returns what is in a file; one that cannot be read is empty.
func readAll(name string) []byte {
	b, _ := os.ReadFile(name)
	return b
}
