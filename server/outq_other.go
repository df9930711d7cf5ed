//go:build !linux

package server

import "syscall"

// outputQueue is known on Linux only; elsewhere TCP itself gives up on a peer
// that vanished, after minutes.
func outputQueue(syscall.RawConn) (n int, known bool) { return 0, false }
