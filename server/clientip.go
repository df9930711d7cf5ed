package server

import (
	"net/http"
	"net/netip"
	"strings"
	"sync"
)

// clientAddresses finds who is at the other end of a request. Forwarding
// headers are believed only of the proxies that the operator named: anybody
// can send them, and limits per IP hang on them.
type clientAddresses struct {
	trusted []netip.Prefix
	warn    func(peer netip.Addr)
	warning sync.Once
}

// clientIP returns the address of the request's client; the zero Addr where
// the connection has none.
func (s *Server) clientIP(r *http.Request) netip.Addr { return s.addresses.of(r) }

func (a *clientAddresses) of(r *http.Request) netip.Addr {
	peer := parseAddr(r.RemoteAddr)
	forwarded := r.Header.Values("X-Forwarded-For")
	if len(forwarded) == 0 {
		return peer
	}
	if !a.trusts(peer) {
		a.warning.Do(func() { a.warn(peer) })
		return peer
	}
	return a.rightmostUntrusted(peer, forwarded)
}

// rightmostUntrusted walks back along the proxies: each appended the address
// it saw, so what stands left of an untrusted one is that client's own word.
func (a *clientAddresses) rightmostUntrusted(peer netip.Addr, forwarded []string) netip.Addr {
	client := peer
	for line := len(forwarded) - 1; line >= 0; line-- {
		rest, more := forwarded[line], true
		for more {
			var hop string
			rest, hop, more = cutLast(rest)
			addr := parseAddr(strings.TrimSpace(hop))
			if !addr.IsValid() {
				return client
			}
			if client = addr; !a.trusts(addr) {
				return client
			}
		}
	}
	return client
}

func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

func (a *clientAddresses) trusts(addr netip.Addr) bool {
	for _, p := range a.trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddr reads an address with or without a port.
func parseAddr(s string) netip.Addr {
	if ap, err := netip.ParseAddrPort(s); err == nil {
		return ap.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(strings.Trim(s, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

// Scheme returns how to find by which scheme, "http" or "https", the client
// sent a request: X-Forwarded-Proto counts from the trusted proxies only. It
// is what [auth.Config] wants to know a hub's own pages by.
func Scheme(trusted []netip.Prefix) func(*http.Request) string {
	a := &clientAddresses{trusted: trusted}
	return func(r *http.Request) string {
		proto := r.Header.Get("X-Forwarded-Proto")
		switch {
		case (proto == "http" || proto == "https") && a.trusts(parseAddr(r.RemoteAddr)):
			return proto
		case r.TLS != nil:
			return "https"
		}
		return "http"
	}
}

// network is what counts as one client for limits: an IPv4 address, or the
// /64 that one IPv6 subscriber is given and may choose addresses from.
func network(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero Prefix for the zero Addr
	return p
}
