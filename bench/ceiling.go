//go:build linux

package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"golang.org/x/sys/unix"
)

// ceilingCommand is the server that the others are measured against: one
// write of ready bytes per event and socket, from one goroutine per core, and
// nothing else: no tokens, limits, heartbeats, metrics.
type ceilingCommand struct {
	Syscall bool `help:"Write with the bare system call instead of net.Conn."`
}

// Run serves until it is told to end.
func (c *ceilingCommand) Run(*bench) error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() { <-stop; listener.Close() }()
	fmt.Printf("ceiling listens on http://%s\n", listener.Addr())
	newPlain(c.Syscall).serve(listener)
	return nil
}

// startCeiling starts this program as the ceiling.
func startCeiling(b *bench, v variant) (*hub, error) {
	args := []string{"ceiling"}
	if v.Target == "syscall" {
		args = append(args, "--syscall")
	}
	s, err := launch(b.dir, b.self, nil, syscall.SIGKILL, args...)
	if err != nil {
		return nil, err
	}
	h := &hub{stop: func() { s.stop(syscall.SIGKILL) }, processes: processes{s.cmd.Process.Pid}}
	h.paths = endpoints{sse: "/{channel}", ws: "/{channel}", publish: "/{channel}", batch: "/", contentType: "application/json"}
	if err := s.await(func(output []byte) bool { return ceilingOn.Match(output) }); err != nil {
		h.stop()
		return nil, err
	}
	return h, h.at(string(ceilingOn.FindSubmatch(readAll(s.log))[1]))
}

var ceilingOn = regexp.MustCompile(`listens on http://(127\.0\.0\.1:\d+)\n`)

// outlet is a subscriber's socket, seen by its worker alone.
type outlet struct {
	conn net.Conn
	fd   int // for the bare system call; -1: by conn
	ws   bool
}

// write writes all of b; a socket that is full is waited for.
func (o *outlet) write(b []byte) error {
	if o.fd >= 0 {
		n, err := unix.Write(o.fd, b)
		if err != nil && err != unix.EAGAIN {
			return err
		}
		if b = b[max(n, 0):]; len(b) == 0 {
			return nil
		}
	}
	_, err := o.conn.Write(b)
	return err
}

func newOutlet(conn net.Conn, ws, bare bool) *outlet {
	o := &outlet{conn: conn, fd: -1, ws: ws}
	if bare {
		if raw, err := conn.(*net.TCPConn).SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) { o.fd = int(fd) })
		}
	}
	return o
}
