package repository

import (
	"net"
	"net/http"
	"net/url"
)

// maxRedirects is the same as helm's limit.
const maxRedirects = 10

// Guard makes a client keep the rules, on each connection and after each redirect. transport is what the client would use without them;
// its proxy and its trusted roots are kept. The proxy itself is trusted. Behind a proxy the operator sees no addresses, and checks only
// those in URLs.
func (r Rules) Guard(client *http.Client, transport *http.Transport) {
	client.Transport = r.roundTripper(transport, nil)
	client.CheckRedirect = checkRedirect
}

func (r Rules) roundTripper(transport *http.Transport, resolver *net.Resolver) *guarded {
	direct, proxied := transport.Clone(), transport.Clone()
	direct.Proxy, direct.DialContext, direct.DialTLSContext = nil, r.dialer(resolver), nil
	return &guarded{rules: r, proxy: transport.Proxy, direct: direct, proxied: proxied}
}

type guarded struct {
	rules           Rules
	proxy           func(*http.Request) (*url.URL, error) // nil: there is none
	direct, proxied http.RoundTripper
}

func (g *guarded) RoundTrip(request *http.Request) (*http.Response, error) {
	err := g.check(request)
	through := g.direct
	if err == nil && g.proxy != nil {
		var address *url.URL
		if address, err = g.proxy(request); address != nil {
			through = g.proxied
		}
	}
	if err != nil {
		if request.Body != nil {
			_ = request.Body.Close()
		}
		return nil, err
	}
	return through.RoundTrip(request)
}

// check is called for each request: also after redirects, and for requests to a registry's token service.
func (g *guarded) check(request *http.Request) error {
	to := request.URL
	if to.Scheme != "http" && to.Scheme != "https" {
		return refused("%s:// is no address of a chart", to.Scheme)
	}
	if request.Header.Get("Authorization") != "" && to.Scheme == "http" {
		if err := g.rules.checkPlain(to); err != nil {
			return err
		}
	}
	return g.rules.checkHost(to)
}

// checkRedirect allows maxRedirects, but none from TLS to plain HTTP, and removes headers that are meant for the first host alone.
// net/http would send credentials also to another port and to subdomains, and would send the next host the address of the last one, which
// may hold a signature, as Referer.
func checkRedirect(next *http.Request, before []*http.Request) error {
	if len(before) >= maxRedirects {
		return refused("%s redirects more than %d times", before[0].URL.Host, maxRedirects)
	}
	last := before[len(before)-1].URL
	if last.Scheme == "https" && next.URL.Scheme != "https" {
		return refused("%s redirects from https:// to %s://%s, which is refused: anybody on the way could change the chart", last.Host, next.URL.Scheme, next.URL.Host)
	}
	next.Header.Del("Referer")
	if origin(next.URL) != origin(before[0].URL) {
		next.Header.Del("Authorization")
		next.Header.Del("Cookie")
	}
	return nil
}
