package config

import (
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
)

// The names are those of Kestrel, the web server of the reference operator: its chart sets them.
const (
	httpURL         = "KESTREL__ENDPOINTS__HTTP__URL"
	httpsURL        = "KESTREL__ENDPOINTS__HTTPS__URL"
	certificatePath = "KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__PATH"
	certificateKey  = "KESTREL__ENDPOINTS__HTTPS__CERTIFICATE__KEYPATH"
)

// HTTPS is where the API server reaches the admission webhooks, and with which certificate.
type HTTPS struct {
	Address         string // KESTREL__ENDPOINTS__HTTPS__URL as host:port; empty: no HTTPS
	CertificateFile string // PEM, the chain too; empty: none was set, which readiness says
	KeyFile         string // PEM, not encrypted; empty: the key is in CertificateFile
}

// readListeners reads where the operator listens.
func (c *Config) readListeners(vars map[string]string, wrong *problems) {
	read := func(name, scheme, fallback string) string {
		kestrel := vars[name]
		if kestrel == "" {
			return fallback
		}
		address, err := listenAddress(kestrel, scheme)
		if err != nil {
			wrong.add(name, "%w", err)
		}
		return address
	}
	c.HTTPAddress = read(httpURL, "http", ":5000")
	c.HTTPS = HTTPS{Address: read(httpsURL, "https", ""), CertificateFile: vars[certificatePath], KeyFile: vars[certificateKey]}
}

// listenAddress turns an ASP.NET Core URL (http://+:5000, http://*:5000, http://0.0.0.0:5000) into host:port, with the
// scheme's port where there is none. As in Kestrel a host that is neither an IP address nor localhost means every address.
func listenAddress(kestrel, scheme string) (string, error) {
	u, err := url.Parse(strings.NewReplacer("//+", "//", "//*", "//").Replace(kestrel))
	if err != nil || u.Scheme != scheme || u.User != nil || strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("%q is not a URL such as %s://+:5000", kestrel, scheme)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[scheme]
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return "", fmt.Errorf("%q: there is no port %s", kestrel, port)
	} else if port = strconv.FormatUint(n, 10); strings.EqualFold(u.Hostname(), "localhost") || net.ParseIP(u.Hostname()) != nil {
		return net.JoinHostPort(u.Hostname(), port), nil
	}
	return ":" + port, nil
}
