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

func TestWhatIsNoListenAddressIsAnErrorThatNamesTheSetting(t *testing.T) {
	for _, test := range []struct{ setting, want string }{
		{"KESTREL__ENDPOINTS__HTTP__URL=5000", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTP__URL=+:5000", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTP__URL=https://+:5000", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTP__URL=http://unix:/tmp/kestrel.sock", "is not a URL such as http://+:5000"},
		{"KESTREL__ENDPOINTS__HTTPS__URL=http://+:5001", "is not a URL such as https://+:5000"},
		{"KESTREL__ENDPOINTS__HTTPS__URL=https://+:70000", "there is no port 70000"},
	} {
		name, _, _ := strings.Cut(test.setting, "=")
		_, err := Load([]string{test.setting})
		if err == nil || !strings.Contains(err.Error(), name+": ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v", test.setting, err)
		}
	}
}
