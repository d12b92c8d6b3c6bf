package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// statusPage parses "off", or the URL of an address on loopback, into host:port. Everybody who reaches the page sees what tenants deploy: it
// has no login of its own, but leaves that to kubectl port-forward.
func statusPage(into *string) func(string) error {
	return func(text string) error {
		// In a values file of the chart, off without quotation marks is false.
		if off := strings.ToLower(strings.TrimSpace(text)); off == "off" || off == "false" {
			*into = ""
			return nil
		}
		var address string
		if listenURL(&address, "http")(text) != nil {
			return fmt.Errorf("%q is neither off nor a URL such as http://127.0.0.1:5002", text)
		}
		host, _, _ := net.SplitHostPort(address)
		if at, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !at.Unmap().IsLoopback()) {
			return errors.New("the page has no login, so it is served on loopback addresses alone, such as http://127.0.0.1:5002; reach it by kubectl port-forward")
		}
		*into = address
		return nil
	}
}

// finishStatusPage turns the status page off if it has the port of another listener, whatever their addresses: everybody in the cluster may reach
// that port.
func (c *Config) finishStatusPage() {
	for name, other := range map[string]string{"KESTREL__ENDPOINTS__HTTP__URL": c.HTTPAddress, "KESTREL__ENDPOINTS__HTTPS__URL": c.HTTPS.Address} {
		if port := portOf(other); c.StatusPage != "" && port == portOf(c.StatusPage) && port != "0" {
			c.warn("OPERATOR__STATUSPAGE has the port of %s, %s: there is no status page; set it to another port, or to off", name, port)
			c.StatusPage = ""
		}
	}
}

func portOf(address string) string {
	_, port, _ := net.SplitHostPort(address)
	return port
}
