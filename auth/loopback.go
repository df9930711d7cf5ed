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

// CheckWithoutToken is the rule of an address that needs no token because only
// operators reach it: their browsers do, too, with any page that is open in them.
// A name that somebody else points there shows in Host: so that is an IP address,
// localhost or name, which is what the operator calls the address by (""
// for none). A page comes from there or from localhost. The error is [ErrOrigin].
func CheckWithoutToken(r *http.Request, name string) error {
	host, _, ok := splitHost(strings.ToLower(r.Host))
	if !ok || !loopback(host) && !isAddr(host) && host != strings.ToLower(name) {
		return refuse(ErrOrigin, "without a token this address answers to its IP address, to localhost and to the name it was configured with only")
	}
	p, err := pageOf(r)
	if err != nil {
		return err
	}
	if web := p.origin.scheme == "http" || p.origin.scheme == "https"; !p.none && !(web && (loopback(p.origin.host) || p.origin.host == host)) {
		return refuse(ErrOrigin, "without a token this address answers its own pages and those from localhost only")
	}
	return nil
}

func isAddr(host string) bool {
	_, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil
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
