package charts

import (
	"testing"
)

func TestAnArchivesAddressMayBeRelativeToTheRepositoryOrLeadToARegistry(t *testing.T) {
	const repository = "https://charts.example/stable"
	for name, test := range map[string]struct{ inIndex, url, image string }{
		"none":               {"", "", ""},
		"relative":           {"app-1.0.0.tgz", "https://charts.example/stable/app-1.0.0.tgz", ""},
		"absolute":           {"http://files.example/a.tgz", "http://files.example/a.tgz", ""},
		"signed":             {"https://files.example/a.tgz?sig=x", "https://files.example/a.tgz?sig=x", ""},
		"in a registry":      {"oci://registry.example/app:1.0.0", "", "oci://registry.example/app:1.0.0"},
		"on a disk":          {"file:///etc/passwd", "", ""},
		"of no host":         {"https:///a.tgz", "", ""},
		"that is no address": {"https://a b/%zz", "", ""},
	} {
		if url, image := archiveURL(repository, test.inIndex); url != test.url || image != test.image {
			t.Errorf("%s: got %q, %q, want %q, %q", name, url, image, test.url, test.image)
		}
	}
}

func TestAnAddressThatMayHoldASecretIsOnNoCommandLine(t *testing.T) {
	for url, want := range map[string]string{
		"":                                  "",
		"https://files.example/a.tgz":       "https://files.example/a.tgz",
		"https://files.example/a.tgz?sig=x": "",
		"https://me:pw@files.example/a.tgz": "",
		"https://%zz":                       "",
	} {
		if got := (location{url: url}).openURL(); got != want {
			t.Errorf("%s: got %q", url, got)
		}
	}
}

func TestTheAPIServersAddressIsThatOfAPod(t *testing.T) {
	for _, test := range []struct {
		env  []string
		want string
	}{
		{nil, ""},
		{[]string{"KUBERNETES_SERVICE_HOST=10.0.0.1"}, ""},
		{[]string{"A=b", "KUBERNETES_SERVICE_HOST=10.0.0.1", "KUBERNETES_SERVICE_PORT=443"}, "10.0.0.1:443"},
		{[]string{"KUBERNETES_SERVICE_PORT=443", "KUBERNETES_SERVICE_HOST=fd00::1"}, "[fd00::1]:443"},
	} {
		if got := apiServer(test.env); got != test.want {
			t.Errorf("%q: got %q, want %q", test.env, got, test.want)
		}
	}
}
