package auth

import (
	"net/http"
	"net/netip"
	"strings"
)

// loopbackOnly is demo mode's rule. A name that somebody else points at
// 127.0.0.1 shows in Host, any other page in Origin.
func loopbackOnly(r *http.Request) error {
	host, _, ok := splitHost(strings.ToLower(r.Host))
	if !ok || !loopback(host) {
		return refuse(ErrOrigin, "without a key the hub answers on localhost only; its operator can set --jwt-secret or --api-key")
	}
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	web := p.origin.scheme == "http" || p.origin.scheme == "https"
	if !p.none && !(web && loopback(p.origin.host)) {
		return refuse(ErrOrigin, "without a key the hub answers pages from localhost only; its operator can set --jwt-secret or --api-key")
	}
	return nil
}

// loopback knows localhost and what is below it (RFC 6761, section 6.3),
// 127.0.0.0/8 and [::1]; other ways to write them are left to nobody.
func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback() && !addr.Is4In6()
}
