package server

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// sparing is a listener that goes on when there are no files left: who waits
// for nothing on the public surface goes.
type sparing struct {
	net.Listener
	places *places
}

func (l sparing) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err == nil || !outOfFiles(err) || !l.places.makeRoom() {
			return conn, err
		}
	}
}

func outOfFiles(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

// seating is a listener whose connections have places. Those for which there is
// none are closed at once: an answer would cost what they are refused for.
type seating struct{ sparing }

func (l seating) Accept() (net.Conn, error) {
	for {
		conn, err := l.sparing.Accept()
		tcp, ok := conn.(*net.TCPConn)
		if err != nil || !ok {
			return conn, err
		}
		if v := l.places.enter(tcp, peerOf(tcp), time.Now()); v != nil {
			return v, nil
		}
		tcp.Close()
	}
}

// peerOf is the address at the other end, as parseAddr gives it.
func peerOf(conn *net.TCPConn) netip.Addr {
	peer, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return peer.AddrPort().Addr().Unmap().WithZone("")
}
