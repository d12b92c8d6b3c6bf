package exec

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestNoSecretOfAnAddressIsShown(t *testing.T) {
	for of, want := range map[string]string{
		"Get https://u:p@example.com/x?token=1: EOF":    "Get https://[redacted]@example.com/x?[redacted] EOF",
		`failed "http://token@h/index.yaml" and more`:   `failed "http://[redacted]@h/index.yaml" and more`,
		"https://example.com/index.yaml : 404":          "https://example.com/index.yaml : 404",
		"from http://a@b/1 to http://c/2?sig=x at once": "from http://[redacted]@b/1 to http://c/2?[redacted] at once",
		"HTTPS://u:p@example.com/x":                     "HTTPS://[redacted]@example.com/x",
		"https://u:p@ss@example.com/x":                  "https://[redacted]@example.com/x",
		"oci://u:p@example.com/charts/x: EOF":           "oci://[redacted]@example.com/charts/x: EOF",
		"https://a/x,https://u:p@b/y":                   "https://a/x,https://[redacted]@b/y",
		"https://proxy/https://u:p@b/y?z":               "https://proxy/https://[redacted]@b/y?[redacted]",
		"https://example.com/a@b and https://c/d@e?f@g": "https://example.com/a@b and https://c/d@e?[redacted]",
	} {
		if got := WithoutAddressSecrets(of); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", of, got, want)
		}
	}
}

// FuzzWithoutAddressSecrets checks that no address that is left has a user or a query, as a program would parse it.
func FuzzWithoutAddressSecrets(f *testing.F) {
	for _, seed := range []string{
		`Get "https://u:p@example.com/x?token=1": EOF`, "failed https://a@b@c/d?e?f#g and oci://u@h/x", "HTTP://u:p@[::1]:80/?q=[redacted]", "https://?x", "http://@", "https://a%40b:c@d",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		got := WithoutAddressSecrets(line)
		for word := range strings.FieldsFuncSeq(got, func(r rune) bool { return r == '"' || strings.ContainsRune(" \t\r\n\v\f", r) }) {
			begin := regexp.MustCompile(`(?i)(https?|oci)://`).FindStringIndex(word)
			if begin == nil || strings.Count(word, "://") > 1 {
				continue
			}
			u, err := url.Parse(word[begin[0]:])
			if err == nil && (u.User != nil && u.User.String() != url.User(Redacted).String() || u.RawQuery != "" && u.RawQuery != Redacted) {
				t.Errorf("%q became %q", line, got)
			}
		}
		if again := WithoutAddressSecrets(got); again != got {
			t.Errorf("%q became %q, and that %q", line, got, again)
		}
	})
}
