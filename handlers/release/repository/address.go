package repository

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// metadata are addresses at which clouds tell a machine its credentials, except for link-local ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd00:42::42"),     // Scaleway
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
}

// thisNetwork is 0.0.0.0/8. Linux takes 0.0.0.0 for the machine itself.
var thisNetwork = netip.MustParsePrefix("0.0.0.0/8")

// refusedAddress says why no chart repository is expected at an address; "": one may be there. Private networks are allowed, because
// repositories inside the cluster are normal.
func refusedAddress(address netip.Addr) string {
	address = address.WithZone("").Unmap()
	switch {
	case address.IsLoopback():
		return "the operator's own machine"
	case address.IsUnspecified(), thisNetwork.Contains(address):
		return "no address of a server"
	case address.IsLinkLocalUnicast():
		return "a link-local address, at which clouds tell a machine its credentials"
	case slices.Contains(metadata, address):
		return "an address at which a cloud tells a machine its credentials"
	case address.IsMulticast(), address == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return "an address of many machines"
	}
	if inside, ok := embedded(address); ok {
		return refusedAddress(inside)
	}
	return ""
}

// translations are IPv6 networks whose addresses contain an IPv4 address, and the byte at which it begins.
var translations = []struct {
	network netip.Prefix
	at      int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},   // NAT64
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12}, // NAT64 for local use
	{netip.MustParsePrefix("2002::/16"), 2},       // 6to4
	{netip.MustParsePrefix("::/96"), 12},          // IPv4-compatible
	{netip.MustParsePrefix("::ffff:0:0:0/96"), 12},
}

// embedded returns the IPv4 address in an address of translations; false: there is none.
func embedded(address netip.Addr) (netip.Addr, bool) {
	for _, t := range translations {
		if t.network.Contains(address) {
			bytes := address.As16()
			return netip.AddrFrom4([4]byte(bytes[t.at : t.at+4])), true
		}
	}
	return netip.Addr{}, false
}

// checkAddress returns a *RefusedError if no connection may be made to an address. host is the name that resolved to it; "": not known.
func (r Rules) checkAddress(host string, to netip.AddrPort) error {
	if r.APIServer != "" && sameAddress(r.APIServer, to) {
		return refused("%s is the API server of the operator's own cluster, which is no chart repository: check repositoryUrl", named(host, to.Addr()))
	}
	address := to.Addr().WithZone("").Unmap()
	what := refusedAddress(address)
	if what == "" || slices.ContainsFunc(r.Addresses, func(p netip.Prefix) bool { return p.Contains(address) }) {
		return nil
	}
	return refused("%s is %s: check repositoryUrl, and where the repository redirects to; if the repository really is there, "+
		"name the address in OPERATOR__ALLOWEDREPOSITORYADDRESSES", named(host, to.Addr()), what)
}

func sameAddress(server string, to netip.AddrPort) bool {
	address, err := netip.ParseAddrPort(server)
	return err == nil && address.Port() == to.Port() && address.Addr().Unmap() == to.Addr().WithZone("").Unmap()
}

func named(host string, address netip.Addr) string {
	if host == "" || host == address.String() {
		return address.String()
	}
	return host + " (" + address.String() + ")"
}

// checkHost returns a *RefusedError if the host in a URL may not be contacted. Behind a proxy, which resolves names itself, this is the
// only check. So it also refuses what some programs read as a number, such as 2130706433 or 0x7f.1.
func (r Rules) checkHost(u *url.URL) error {
	host := strings.TrimSuffix(strings.ToLower(u.Hostname()), ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		host = "127.0.0.1"
	}
	if address, err := netip.ParseAddr(host); err == nil {
		return r.checkAddress(u.Hostname(), netip.AddrPortFrom(address, portOf(u)))
	}
	last := host[strings.LastIndex(host, ".")+1:]
	if last != "" && strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return refused("the host %s is a number that is no address: write it as 192.0.2.1, or use a name", u.Hostname())
	}
	if server, port, err := net.SplitHostPort(r.APIServer); err == nil && strings.EqualFold(server, host) && port == u.Port() {
		return refused("%s is the API server of the operator's own cluster, which is no chart repository: check repositoryUrl", u.Host)
	}
	return nil
}

func portOf(u *url.URL) uint16 {
	number, err := net.LookupPort("tcp", strings.TrimPrefix(origin(u)[strings.LastIndex(origin(u), ":"):], ":"))
	if err != nil {
		return 0
	}
	return uint16(number)
}

// dialer connects only to allowed addresses. It checks the address of the connection itself, after the name was resolved, so that a name
// cannot resolve to another address between the check and the connection.
func (r Rules) dialer(resolver *net.Resolver) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		d := net.Dialer{Timeout: connectTimeout, KeepAlive: connectTimeout, Resolver: resolver,
			ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
				to, err := netip.ParseAddrPort(address)
				if err != nil {
					return refused("%s is no address", address)
				}
				return r.checkAddress(host, to)
			}}
		return d.DialContext(ctx, network, address)
	}
}

const connectTimeout = 30 * time.Second
