package repository

import (
	"net/url"
	"testing"
)

// The address of a chart in an index may be any text.
func FuzzResolve(f *testing.F) {
	for _, reference := range []string{"app-1.0.0.tgz", "../../x", "//other.example/x", "file:///etc/passwd", "http://a:b@c/", "?x", "#y", "%2e%2e/", "\x00", "http://[::1"} {
		f.Add("https://charts.example/a/?sig=1", reference)
	}
	f.Fuzz(func(t *testing.T, repositoryURL, reference string) {
		address, err := Resolve(repositoryURL, reference)
		if err != nil {
			return
		}
		base, err := url.Parse(repositoryURL)
		if err != nil {
			t.Fatalf("%q was resolved below %q, which is no URL", reference, repositoryURL)
		}
		if to, err := url.Parse(reference); err == nil && !to.IsAbs() && address.Scheme != base.Scheme {
			t.Errorf("%q below %q leads to %s", reference, repositoryURL, address)
		}
	})
}
