package web

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const howInside = "use kubectl exec or kubectl port-forward, and 127.0.0.1 or localhost"

// FromInside returns an error for a request that does not come from within the pod (kubectl exec, kubectl port-forward), that came through a
// proxy, or that names another host than loopback: the name of a web page whose address has been changed to this one.
func FromInside(r *http.Request) error {
	if from, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !from.Addr().Unmap().IsLoopback() {
		return fmt.Errorf("only from the pod itself: %s", howInside)
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	if at, err := netip.ParseAddr(strings.Trim(host, "[]")); host != "localhost" && (err != nil || !at.Unmap().IsLoopback()) {
		return fmt.Errorf("not under the name %q: %s", cut(host), howInside)
	}
	return without(r, "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "Via")
}

func without(r *http.Request, headers ...string) error {
	for _, header := range headers {
		if r.Header.Get(header) != "" {
			return fmt.Errorf("not with the header %s, which browsers and proxies send: %s", header, howInside)
		}
	}
	return nil
}

// ServeInside serves a handler for people until ctx ends, with the same bounds as a Server. setting is the name of the setting with the
// address, host:port. If the address cannot be used, that is logged and tried again; the operator's work does not depend on it.
func ServeInside(ctx context.Context, setting, address string, handler http.Handler, log *slog.Logger) {
	l := newListener(setting, address, handler, retryInterval, log)
	l.gravity = slog.LevelWarn
	l.open(ctx)
}
