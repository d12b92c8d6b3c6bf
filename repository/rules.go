package repository

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Rules say where charts may come from. The zero value lets any public repository in, and private networks.
type Rules struct {
	Allowed          []string       // what a repository's URL must begin with, see allowedURL; empty: anything
	Addresses        []netip.Prefix // that are contacted although refusedAddress names them
	APIServer        string         // "10.96.0.1:443": it is never contacted; "": it is not known
	PlainCredentials bool           // credentials may go over connections without TLS
	PlainHTTP        bool           // oci:// registries are asked without TLS
}

// RefusedError is something that the rules forbid, in words for whoever has sent the event. Trying again does not help.
type RefusedError struct{ text string }

func (e *RefusedError) Error() string { return e.text }

func refused(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Check tells whether a chart may be asked for at all. It looks at the words of the event alone; where they lead is seen when the
// connection is made. The error is a *RefusedError.
func (r Rules) Check(from Source, chart string) error {
	address, err := url.Parse(from.URL)
	if err != nil {
		return refused("repositoryUrl is not an http://, https:// or oci:// URL")
	}
	wanted := *address
	if IsRegistry(from.URL) {
		wanted.Path, wanted.RawPath = joined(address.Path, chart), joined(address.RawPath, chart) // the chart's name is a part of the path
	}
	if !r.allows(&wanted) {
		return refused("repositoryUrl %s is none of the repositories that this operator may use: add it, or what it begins with, to OPERATOR__ALLOWEDREPOSITORIES",
			Shown(from.URL))
	}
	plain := address.Scheme == "http" || address.Scheme == "oci" && r.PlainHTTP
	if plain && (from.Username != "" || from.Password != "") {
		if err := r.checkPlain(address); err != nil {
			return err
		}
	}
	return r.checkHost(address)
}

func joined(path, chart string) string { return strings.TrimSuffix(path, "/") + "/" + chart }

// checkPlain refuses credentials on the way to an address without TLS.
func (r Rules) checkPlain(to *url.URL) error {
	if r.PlainCredentials || isLoopback(to.Hostname()) {
		return nil
	}
	return refused("credentials for %s would go over the network for everybody to read: have it asked over TLS (https://, or for an oci:// registry "+
		"without OPERATOR__HELM__PLAINHTTP), or set OPERATOR__ALLOWPLAINCREDENTIALS=true", to.Host)
}

// isLoopback tells of a host that is this machine by its own words. A name that merely resolves to it may resolve to another one next.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// IsRegistry tells whether a repository is an OCI registry.
func IsRegistry(repositoryURL string) bool {
	scheme, _, _ := strings.Cut(repositoryURL, ":")
	return strings.EqualFold(scheme, "oci")
}

// Shown is a repository's URL as it may be seen by everybody: without a user, a query and a fragment, which may be secret.
func Shown(repositoryURL string) string {
	address, err := url.Parse(repositoryURL)
	if err != nil {
		return "the repository" // nothing of it can be told from a secret
	}
	address.User, address.RawQuery, address.ForceQuery, address.Fragment, address.RawFragment = nil, "", false, "", ""
	return address.String()
}
