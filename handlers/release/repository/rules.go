package repository

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Rules say where charts may come from. The zero value allows any repository, also in private networks, but not at the addresses that
// refusedAddress names.
type Rules struct {
	Allowed          []string       // prefixes of a repository's URL, see BeginsWithOne; empty: any URL
	Addresses        []netip.Prefix // allowed although refusedAddress names them
	APIServer        string         // address of the API server, such as "10.96.0.1:443", which is never contacted; "": not known
	PlainCredentials bool           // credentials may go over connections without TLS
	PlainHTTP        bool           // oci:// registries are contacted without TLS
}

// RefusedError says that the rules forbid something, and what to do, for the person who has sent the event. Trying again does not help.
type RefusedError struct{ text string }

func (e *RefusedError) Error() string { return e.text }

func refused(format string, args ...any) error { return &RefusedError{fmt.Sprintf(format, args...)} }

// Check tells whether a chart may be asked for. It looks only at the event's own words; the address is checked when the connection is
// made. The error is a *RefusedError.
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

// checkPlain refuses to send credentials to an address without TLS.
func (r Rules) checkPlain(to *url.URL) error {
	if r.PlainCredentials || isLoopback(to.Hostname()) {
		return nil
	}
	return refused("credentials for %s would go over the network for everybody to read: have it asked over TLS (https://, or for an oci:// registry "+
		"without OPERATOR__HELM__PLAINHTTP), or set OPERATOR__ALLOWPLAINCREDENTIALS=true", to.Host)
}

// isLoopback tells whether the host is this machine by its name or address alone. Other names that resolve to it may resolve to another
// machine the next time.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// IsRegistry tells whether a repository's URL is that of an OCI registry (oci://).
func IsRegistry(repositoryURL string) bool {
	scheme, _, _ := strings.Cut(repositoryURL, ":")
	return strings.EqualFold(scheme, "oci")
}

// Shown returns a repository's URL without user, query and fragment, which may be secret.
func Shown(repositoryURL string) string {
	address, err := url.Parse(repositoryURL)
	if err != nil {
		return "the repository" // any part of the text may be a secret
	}
	address.User, address.RawQuery, address.ForceQuery, address.Fragment, address.RawFragment = nil, "", false, "", ""
	return address.String()
}
