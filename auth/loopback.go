package auth

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// openly is the rule of an address that asks for no token. A name that
// somebody else points there shows in Host, and any other page in Origin.
type openly struct {
	also func(host string) bool // hosts that may be named besides those of the loopback
	host string                 // what another host is told
	page string                 // what a page from elsewhere is told
}

func (o openly) check(r *http.Request) error {
	host, _, ok := splitHost(strings.ToLower(r.Host))
	if !ok || !loopback(host) && !o.also(host) {
		return refuse(ErrOrigin, "%s", o.host)
	}
	p, err := pageOf(r)
	switch {
	case err != nil:
		return err
	case p.none, p.origin.web() && (p.origin.host == host || loopback(p.origin.host)):
		return nil
	}
	return refuse(ErrOrigin, "%s", o.page)
}

func (o origin) web() bool { return o.scheme == "http" || o.scheme == "https" }

var demoRule = openly{
	also: func(string) bool { return false },
	host: "without a key the hub answers on localhost only; its operator can set --jwt-secret or --api-key",
	page: "without a key the hub answers pages from localhost only; its operator can set --jwt-secret or --api-key",
}

// CheckWithoutToken is the rule of an address that needs no token because only
// operators reach it: their browsers do, too, with any page that is open in them.
// So Host is an IP address, localhost or one of names, which are what the
// operator calls the address by. A page comes from there or from localhost. The
// error is [ErrOrigin].
func CheckWithoutToken(r *http.Request, names []string) error {
	named := func(host string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, host) })
	}
	return openly{
		also: func(host string) bool { return named(host) || addrOf(host).IsValid() },
		host: "without a token this address answers to its IP address, to localhost and to names given with --admin-listen and --admin-host only",
		page: "without a token this address answers its own pages and those from localhost only",
	}.check(r)
}

// loopback knows localhost and what is below it (RFC 6761, section 6.3),
// 127.0.0.0/8 and [::1]; other ways to write them are left to nobody.
func loopback(host string) bool {
	addr := addrOf(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || addr.IsLoopback() && !addr.Is4In6()
}

// addrOf is the zero Addr, which is not valid, of a host with a name.
func addrOf(host string) netip.Addr {
	addr, _ := netip.ParseAddr(strings.Trim(host, "[]"))
	return addr
}
