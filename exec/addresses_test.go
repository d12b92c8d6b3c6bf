package exec

import "testing"

func TestNoSecretOfAnAddressIsShown(t *testing.T) {
	for of, want := range map[string]string{
		"Get https://u:p@example.com/x?token=1: EOF":    "Get https://[redacted]@example.com/x?[redacted] EOF",
		`failed "http://token@h/index.yaml" and more`:   `failed "http://[redacted]@h/index.yaml" and more`,
		"https://example.com/index.yaml : 404":          "https://example.com/index.yaml : 404",
		"from http://a@b/1 to http://c/2?sig=x at once": "from http://[redacted]@b/1 to http://c/2?[redacted] at once",
	} {
		if got := WithoutAddressSecrets(of); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", of, got, want)
		}
	}
}
