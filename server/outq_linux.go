package server

import "golang.org/x/sys/unix"

// outputQueue is how many bytes the socket holds that the peer has not
// acknowledged (tcp(7), SIOCOUTQ).
func outputQueue(fd int) (n int, known bool) {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	return n, err == nil
}
