package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// HTTPS says where the admission webhooks are served, and with which certificate.
type HTTPS struct {
	Address         string // host:port; empty: no HTTPS
	CertificateFile string // PEM, including the chain; empty: not set, and readiness reports it
	KeyFile         string // PEM, not encrypted; empty: the key is in CertificateFile
}

// listenURL parses a listen URL of Kestrel, the reference operator's web server (http://+:5000, http://*:5000, http://0.0.0.0:5000), into
// host:port. Without a port the scheme's port is used. As in Kestrel, a host that is neither an IP address nor localhost means every
// address.
func listenURL(into *string, scheme string) func(string) error {
	return func(kestrel string) error {
		u, err := url.Parse(strings.NewReplacer("//+", "//", "//*", "//").Replace(strings.TrimSpace(kestrel)))
		if err != nil || u.Scheme != scheme || u.User != nil || strings.Trim(u.Path, "/") != "" {
			return fmt.Errorf("%q is not a URL such as %s://+:5000", kestrel, scheme)
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[scheme]
		}
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return fmt.Errorf("%q: there is no port %s", kestrel, port)
		}
		*into = ":" + strconv.FormatUint(n, 10)
		if strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()) != nil {
			*into = net.JoinHostPort(u.Hostname(), strconv.FormatUint(n, 10))
		}
		return nil
	}
}

// Dialled returns the address at which a client on the same machine, or in the same pod, reaches a listener: a loopback address if it listens on all
// addresses.
func Dialled(listening string) string {
	host, port, err := net.SplitHostPort(listening)
	if ip := net.ParseIP(host); err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listening
}
