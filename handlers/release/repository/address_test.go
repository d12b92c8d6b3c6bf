package repository

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"testing"
)

func TestAddressesAtWhichNoRepositoryIsExpectedAreRefusedHoweverTheyAreWritten(t *testing.T) {
	for _, test := range []struct{ address, is string }{
		{"127.0.0.1", "own machine"}, {"127.255.0.3", "own machine"}, {"::1", "own machine"}, {"::ffff:127.0.0.1", "own machine"},
		{"64:ff9b::127.0.0.1", "own machine"}, {"64:ff9b::7f00:1", "own machine"}, {"64:ff9b:1::127.0.0.1", "own machine"}, {"2002:7f00:1::", "own machine"},
		{"::127.0.0.1", "own machine"}, {"::ffff:0:127.0.0.1", "own machine"},
		{"0.0.0.0", "no address"}, {"0.1.2.3", "no address"}, {"::", "no address"}, {"64:ff9b::0.0.0.0", "no address"},
		{"169.254.169.254", "link-local"}, {"169.254.1.1", "link-local"}, {"fe80::1", "link-local"}, {"fe80::1%lo", "link-local"},
		{"::ffff:169.254.169.254", "link-local"}, {"64:ff9b::a9fe:a9fe", "link-local"}, {"2002:a9fe:a9fe::1", "link-local"},
		{"fd00:ec2::254", "its credentials"}, {"fd20:ce::254", "its credentials"}, {"100.100.100.200", "its credentials"}, {"168.63.129.16", "its credentials"}, {"192.0.0.192", "its credentials"},
		{"224.0.0.1", "many machines"}, {"239.1.1.1", "many machines"}, {"255.255.255.255", "many machines"}, {"ff02::1", "many machines"},

		{"10.96.0.1", ""}, {"172.16.0.1", ""}, {"192.168.1.1", ""}, {"fc00::1", ""}, {"fd12::254", ""}, {"100.64.0.1", ""},
		{"93.184.216.34", ""}, {"2606:2800:220:1::1", ""}, {"64:ff9b::93.184.216.34", ""}, {"::ffff:10.0.0.1", ""}, {"128.0.0.1", ""},
	} {
		to := netip.AddrPortFrom(netip.MustParseAddr(test.address), 443)
		err := (Rules{}).checkAddress("charts.example", to)
		switch {
		case test.is == "" && err != nil:
			t.Errorf("%s: %v", test.address, err)
		case test.is != "" && (!errors.As(err, new(*RefusedError)) || !strings.Contains(err.Error(), test.is) || !strings.Contains(err.Error(), "charts.example (") ||
			!strings.Contains(err.Error(), "OPERATOR__ALLOWEDREPOSITORYADDRESSES")):
			t.Errorf("%s: %v, want %s", test.address, err, test.is)
		}
		all := Rules{Addresses: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}}
		if err := all.checkAddress("", to); err != nil {
			t.Errorf("%s is allowed, and %v", test.address, err)
		}
	}
}

func TestTheAPIServersOwnAddressIsNeverARepository(t *testing.T) {
	rules := Rules{APIServer: "10.96.0.1:443", Addresses: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
	for address, refused := range map[string]bool{"10.96.0.1:443": true, "[::ffff:10.96.0.1]:443": true, "10.96.0.1:8080": false, "10.96.0.2:443": false} {
		if err := rules.checkAddress("kubernetes.default.svc", netip.MustParseAddrPort(address)); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
	for address, refused := range map[string]bool{"https://10.96.0.1": true, "https://10.96.0.1:443/api": true, "http://10.96.0.1:443": true, "https://10.96.0.1:6443": false} {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := rules.checkHost(u); (err != nil) != refused {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Behind a proxy only the URL can be checked.
func TestAHostThatIsAnAddressIsRefusedByItsWords(t *testing.T) {
	for _, test := range []struct {
		address string
		refused bool
	}{
		{"http://127.0.0.1:8080", true}, {"http://localhost", true}, {"http://LOCALHOST./", true}, {"http://a.localhost", true},
		{"http://[::1]:80", true}, {"http://[::ffff:7f00:1]", true}, {"http://[fe80::1%25eth0]", true},
		{"http://169.254.169.254/latest/meta-data/", true}, {"http://169.254.169.254./", true},
		{"http://2130706433", true}, {"http://0x7f000001", true}, {"http://0x7f.1", true}, {"http://127.1", true}, {"http://0177.0.0.1", true}, {"http://127.0.0.0x1", true},
		{"http://charts.example", false}, {"http://10.0.0.1", false}, {"http://[fd12::1]", false}, {"http://charts.svc:80", false}, {"http://1.example", false}, {"http://charts", false},
	} {
		u, err := url.Parse(test.address)
		if err != nil {
			t.Fatal(err)
		}
		if err := (Rules{}).checkHost(u); (err != nil) != test.refused {
			t.Errorf("%s: %v", test.address, err)
		}
	}
}

func TestCredentialsGoOverTLSOnlyUnlessASettingSaysOtherwise(t *testing.T) {
	for _, test := range []struct {
		url       string
		plainHTTP bool
		refused   bool
	}{
		{"https://charts.example", false, false}, {"oci://registry.example", false, false}, {"http://127.0.0.1:80", false, false}, {"http://localhost:80", false, false},
		{"http://charts.example", false, true}, {"http://charts.svc:8080", false, true}, {"oci://registry.example", true, true}, {"oci://127.0.0.1:5000", true, false},
	} {
		rules := Rules{PlainHTTP: test.plainHTTP, Addresses: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
		for _, from := range []Source{{URL: test.url, Username: "reader"}, {URL: test.url, Password: "word"}} {
			err := rules.Check(from, "app")
			if (err != nil) != test.refused || err != nil && !strings.Contains(err.Error(), "OPERATOR__ALLOWPLAINCREDENTIALS=true") {
				t.Errorf("%s: %v", test.url, err)
			}
			allowed := rules
			allowed.PlainCredentials = true
			if err := allowed.Check(from, "app"); err != nil {
				t.Errorf("%s: %v", test.url, err)
			}
		}
		if err := rules.Check(Source{URL: test.url}, "app"); err != nil {
			t.Errorf("%s without credentials: %v", test.url, err)
		}
	}
}

func TestWhatMayBeSecretInAURLIsNotShown(t *testing.T) {
	for text, want := range map[string]string{
		"https://charts.example/a":                        "https://charts.example/a",
		"https://user:word@charts.example/a?sig=x#y":      "https://charts.example/a",
		"OCI://registry.example:5000/charts?token=secret": "oci://registry.example:5000/charts",
		"https://charts.example/%zz?token=secret":         "the repository",
	} {
		if got := Shown(text); got != want {
			t.Errorf("%s: %s", text, got)
		}
	}
}
