package config

import (
	"strings"
	"testing"
)

func TestKestrelsURLsAreListenAddresses(t *testing.T) {
	for kestrel, want := range map[string]string{
		"://+:5000":             ":5000",
		"://*:8080":             ":8080",
		"://0.0.0.0:81":         "0.0.0.0:81",
		"://[::]:5000":          "[::]:5000",
		"://[::1]":              "[::1]:PORT",
		"://127.0.0.1:0":        "127.0.0.1:0",
		"://localhost:5000":     "localhost:5000",
		"://+:5000/":            ":5000",
		"://+":                  ":PORT",
		"://*/":                 ":PORT",
		"://0.0.0.0":            "0.0.0.0:PORT",
		"://operator.octo:5000": ":5000", // Kestrel listens everywhere
	} {
		for scheme, port := range map[string]string{"http": "80", "https": "443", "HTTP": "80", "HTTPS": "443"} {
			want := strings.Replace(want, "PORT", port, 1)
			c := load(t, "KESTREL__ENDPOINTS__"+strings.ToUpper(scheme)+"__URL="+scheme+kestrel)
			got := c.HTTPAddress
			if strings.EqualFold(scheme, "https") {
				got = c.HTTPS.Address
			}
			if got != want {
				t.Errorf("%s%s: got %s, want %s", scheme, kestrel, got, want)
			}
		}
	}
}

func TestWithoutSettingsThereIsHTTPAndNoHTTPS(t *testing.T) {
	c := load(t)
	if c.HTTPAddress != ":5000" || c.HTTPS != (HTTPS{}) {
		t.Errorf("got %q, %+v", c.HTTPAddress, c.HTTPS)
	}
}

func TestWhatIsNoListenAddressIsSaidAndTheDefaultIsUsed(t *testing.T) {
	for _, test := range []struct{ setting, want string }{
		{"KESTREL__ENDPOINTS__HTTP__URL=5000", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTP__URL=+:5000", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTP__URL=https://+:5000", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTP__URL=http://unix:/tmp/kestrel.sock", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTPS__URL=http://+:5001", "is not a URL such as https://+:5000"},
		{"KESTREL__ENDPOINTS__HTTPS__URL=https://+:70000", "there is no port 70000"},
	} {
		name, _, _ := strings.Cut(test.setting, "=")
		c := load(t, test.setting)
		wantWarning(t, c, name+": ", test.want)
		if c.HTTPAddress != ":5000" || c.HTTPS.Address != "" {
			t.Errorf("%s: listens on %q and %q", test.setting, c.HTTPAddress, c.HTTPS.Address)
		}
	}
}

func TestWhoListensOnAllAddressesIsAskedOverLoopback(t *testing.T) {
	for listening, want := range map[string]string{
		":5000": "127.0.0.1:5000", "0.0.0.0:80": "127.0.0.1:80", "[::]:5000": "127.0.0.1:5000",
		"127.0.0.1:5000": "127.0.0.1:5000", "localhost:5000": "localhost:5000", "[::1]:5000": "[::1]:5000", "10.1.2.3:5000": "10.1.2.3:5000",
	} {
		if got := Dialled(listening); got != want {
			t.Errorf("%s: got %s, want %s", listening, got, want)
		}
	}
}
