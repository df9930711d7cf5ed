package server

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// outputQueue is how many bytes the socket holds that the peer has not
// acknowledged (tcp(7), SIOCOUTQ).
func outputQueue(raw syscall.RawConn) (n int, known bool) {
	err := raw.Control(func(fd uintptr) {
		v, err := unix.IoctlGetInt(int(fd), unix.SIOCOUTQ)
		n, known = v, err == nil
	})
	return n, known && err == nil
}
