package repository

import (
	"net/url"
	"strings"
	"testing"
)

func TestAnAllowedRepositoryIsOneOfTheListOrBelowIt(t *testing.T) {
	for _, test := range []struct {
		entry, url string
		allowed    bool
	}{
		{"https://charts.example.com", "https://charts.example.com", true},
		{"https://charts.example.com", "https://charts.example.com/", true},
		{"https://charts.example.com/", "https://charts.example.com", true},
		{"https://charts.example.com", "https://charts.example.com/stable/a", true},
		{"https://charts.example.com", "HTTPS://CHARTS.EXAMPLE.COM/stable", true},
		{"https://Charts.Example.com", "https://charts.example.com", true},
		{"https://charts.example.com", "https://charts.example.com:443/stable", true},
		{"https://charts.example.com:443", "https://charts.example.com", true},
		{"https://charts.example.com:8443", "https://charts.example.com:8443", true},
		{"https://charts.example.com", "https://charts.example.com?sig=a/../b", true},
		{"https://charts.example.com/team", "https://charts.example.com/team", true},
		{"https://charts.example.com/team", "https://charts.example.com/team/", true},
		{"https://charts.example.com/team/", "https://charts.example.com/team", true},
		{"https://charts.example.com/team", "https://charts.example.com/team/x", true},
		{"https://charts.example.com/über", "https://charts.example.com/%C3%BCber/x", true},
		{"http://[2001:db8::1]:8080", "http://[2001:DB8::1]:8080/x", true},

		{"https://charts.example.com", "https://charts.example.com.evil.net", false},
		{"https://charts.example.com", "https://charts.example.com@evil.net", false},
		{"https://charts.example.com", "https://charts.example.com:x@evil.net/", false},
		{"https://charts.example.com", "https://evil.net/https://charts.example.com", false},
		{"https://charts.example.com", "https://evil.net#charts.example.com", false},
		{"https://charts.example.com", "https://evil.net?https://charts.example.com", false},
		{"https://charts.example.com", "https://evil.net\\@charts.example.com", false},
		{"https://charts.example.com", "https://user@charts.example.com", false},
		{"https://charts.example.com", "http://charts.example.com", false},
		{"https://charts.example.com", "http://charts.example.com:443", false},
		{"https://charts.example.com", "https://charts.example.com:4430", false},
		{"https://charts.example.com", "https://charts.example.com:8443", false},
		{"https://charts.example.com:8443", "https://charts.example.com", false},
		{"https://charts.example.com", "https://charts.example.co", false},
		{"https://charts.example.com", "https://sub.charts.example.com", false},
		{"https://charts.example.com/team", "https://charts.example.com/teams", false},
		{"https://charts.example.com/team", "https://charts.example.com/", false},
		{"https://charts.example.com/team", "https://charts.example.com/Team", false},
		{"https://charts.example.com/team", "https://charts.example.com/team/../other", false},
		{"https://charts.example.com/team", "https://charts.example.com/team/%2e%2e/other", false},
		{"https://charts.example.com/team", "https://charts.example.com/team/.%2E/other", false},
		{"https://charts.example.com/team", "https://charts.example.com/team/%252e%252e/other", false},
		{"https://charts.example.com/team", "https://charts.example.com/team%2f..%2fother", false},
		{"https://charts.example.com/team", "https://charts.example.com/team/..%5cother", false},
		{"https://charts.example.com/team", "https://charts.example.com/team/..\\other", false},
		{"https://charts.example.com/team", "https://charts.example.com/team/..;/other", false},
		{"https://charts.example.com/team", "https://charts.example.com//team", false},
		{"https://charts.example.com/team", "https://charts.example.com/team//../other", false},
		{"https://charts.example.com/team", "https://charts.example.com/x/../team", false},
		{"https://charts.example.com", "https:charts.example.com", false},
		{"not a url at all", "https://charts.example.com", false},
		{"https://", "https://charts.example.com", false},
	} {
		err := Rules{Allowed: []string{"oci://other.example", test.entry}}.Check(Source{URL: test.url}, "app")
		if (err == nil) != test.allowed {
			t.Errorf("%s under %s: %v", test.url, test.entry, err)
		}
		if err != nil && !test.allowed && !strings.Contains(err.Error(), "OPERATOR__ALLOWEDREPOSITORIES") && !strings.Contains(err.Error(), "URL") {
			t.Errorf("%s: the error does not name the setting: %v", test.url, err)
		}
	}
}

func TestARegistrysChartIsAPartOfWhatIsAllowed(t *testing.T) {
	rules := Rules{Allowed: []string{"oci://registry.example/team"}}
	for _, test := range []struct {
		url, chart string
		allowed    bool
	}{
		{"oci://registry.example/team", "app", true},
		{"OCI://Registry.Example/team/", "app", true},
		{"oci://registry.example:443/team", "sub/app", true},
		{"oci://registry.example/team", "../other/app", false},
		{"oci://registry.example/team", "a/../../other", false},
		{"oci://registry.example/other", "app", false},
		{"oci://registry.example", "team/app", true},
		{"oci://registry.example", "teams/app", false},
		{"https://registry.example/team", "app", false},
	} {
		if err := rules.Check(Source{URL: test.url}, test.chart); (err == nil) != test.allowed {
			t.Errorf("%s, chart %s: %v", test.url, test.chart, err)
		}
	}
}

func TestWithoutAListAnyRepositoryIsAllowed(t *testing.T) {
	for _, url := range []string{"https://charts.example", "http://charts.example:8080/a/b/", "oci://registry.example:5000/charts", "https://charts.example/über?x=y", "https://charts.example/a%2fb"} {
		if err := (Rules{}).Check(Source{URL: url}, "app"); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// FuzzAllowed: whatever is allowed goes to the entry's host, and does not leave its path however often a server decodes it.
func FuzzAllowed(f *testing.F) {
	for _, seed := range []string{"https://charts.example.com/team/x", "https://charts.example.com/team/../x", "https://charts.example.com:443/team%2f..", "HTTPS://charts.example.com/team/%252e%252e/x", "https://charts.example.com@evil.net/team"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := url.Parse(text)
		if err != nil || !(Rules{Allowed: []string{"https://charts.example.com/team"}}).allows(u) {
			return
		}
		if u.Scheme != "https" || !strings.EqualFold(u.Hostname(), "charts.example.com") || u.Port() != "" && strings.TrimLeft(u.Port(), "0") != "443" || u.User != nil {
			t.Errorf("%q goes to %s", text, u.Host)
		}
		decoded := u.EscapedPath()
		for range 3 {
			if strings.ContainsAny(decoded, `\`) || strings.Contains(decoded, "/..") {
				if p := "/" + strings.Trim(decoded, "/") + "/"; strings.Contains(p, "/../") || strings.Contains(p, `\`) {
					t.Errorf("%q may be read as %s", text, decoded)
				}
			}
			if next, err := url.PathUnescape(decoded); err == nil {
				decoded = next
			}
		}
		if !strings.HasPrefix("/"+strings.Trim(decoded, "/")+"/", "/team/") {
			t.Errorf("%q is not below: %s", text, decoded)
		}
	})
}
