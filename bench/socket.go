//go:build linux

package main

import (
	"fmt"
	"net"

	"golang.org/x/sys/unix"
)

// sourcePorts is how many connections go out from one loopback address; the
// kernel has some 28,000 ports for each pair of addresses.
const sourcePorts = 10_000

// dial begins to connect and returns a socket that does not block; it is
// writable once connected. The number spreads sockets over the addresses
// 127.0.0.1, 127.0.0.2, …; receive bounds the receive buffer, in bytes (0: as
// the system does).
func dial(to *net.TCPAddr, number, receive int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	if err := connect(fd, to, number, receive); err != nil {
		unix.Close(fd)
		return -1, fmt.Errorf("connect to %s: %w", to, err)
	}
	return fd, nil
}

func connect(fd int, to *net.TCPAddr, number, receive int) error {
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	// A reset leaves no port behind in TIME_WAIT: the next round needs them.
	unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	if receive > 0 {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, receive)
	}
	address := unix.SockaddrInet4{Port: to.Port}
	copy(address.Addr[:], to.IP.To4())
	if to.IP.IsLoopback() {
		unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
		from := unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(1 + number/sourcePorts)}}
		if err := unix.Bind(fd, &from); err != nil {
			return err
		}
	}
	if err := unix.Connect(fd, &address); err != unix.EINPROGRESS {
		return err
	}
	return nil
}

// failure is what made a socket unusable.
func failure(fd int) error {
	code, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	switch {
	case err != nil:
		return err
	case code != 0:
		return unix.Errno(code)
	}
	return nil
}
