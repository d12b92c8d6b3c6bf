package handlers

import (
	"strings"
	"testing"

	"octo-operator/hub"
)

func aDeploy() hub.WorkloadDeployed {
	return hub.WorkloadDeployed{
		Workload:  hub.Workload{Pool: hub.Pool{TenantID: "acme", PoolRtID: "65d5c447b420da3fb12381bc"}, WorkloadRtID: "65d5c447b420da3fb12381bd"},
		ChartName: "app", RepositoryURL: "https://charts.example",
	}
}

func TestADeployFromAnywhereThatHelmCanReachIsAccepted(t *testing.T) {
	for _, url := range []string{
		"https://charts.example", "http://charts.example:8080/a/b/", "HTTPS://charts.example", "oci://registry.example:5000/charts", "OCI://registry.example/charts",
		"https://charts.example/über", "https://charts.example/a?b=c%20d",
	} {
		w := aDeploy()
		w.RepositoryURL = url
		if err := checkDeploy(w); err != nil {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, version := range []string{"", "1.2.3", "v1.2.3-rc.1+build.7", "^1.2", ">= 1.0.0, < 2.0.0 || 3.x", strings.Repeat("1", 250)} {
		w := aDeploy()
		w.ChartVersion = version
		if err := checkDeploy(w); err != nil {
			t.Errorf("%q: %v", version, err)
		}
	}
	for _, name := range []string{"app", "a/b", "app_2.x", strings.Repeat("a", 250)} {
		w := aDeploy()
		w.ChartName = name
		if err := checkDeploy(w); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWhatHelmOrTheLogCouldTakeForSomethingElseIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, want string
		change     func(*hub.WorkloadDeployed)
	}{
		{"a registry without slashes", "repositoryUrl is not an", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "oci:registry.example/charts" }},
		{"a colour in the URL", "repositoryUrl", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://charts.example/\x1b[31m" }},
		{"a line's end in the URL", "repositoryUrl", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://charts.example/\n+ helm uninstall" }},
		{"a line's end of Unicode in the URL", "repositoryUrl holds a character that cannot be printed", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://charts.example/\u0085+ helm" }},
		{"a URL of 1 MB", "repositoryUrl has 1000023 bytes, the limit is 2000", func(w *hub.WorkloadDeployed) { w.RepositoryURL += "/" + strings.Repeat("x", 1_000_000) }},
		{"a forged command", "chartVersion", func(w *hub.WorkloadDeployed) { w.ChartVersion = "1\r+ helm uninstall everything" }},
		{"a colour in the version", "chartVersion", func(w *hub.WorkloadDeployed) { w.ChartVersion = "1\x1b[31m" }},
		{"a version that turns the line round", "chartVersion", func(w *hub.WorkloadDeployed) { w.ChartVersion = "1\u202e" }},
		{"a version that is no text", "chartVersion", func(w *hub.WorkloadDeployed) { w.ChartVersion = "1\xff" }},
		{"a version of 251", "chartVersion has 251 bytes, the limit is 250", func(w *hub.WorkloadDeployed) { w.ChartVersion = strings.Repeat("1", 251) }},
		{"a name of 4 MB", "chartName has 4000000 bytes, the limit is 250", func(w *hub.WorkloadDeployed) { w.ChartName = strings.Repeat("a", 4_000_000) }},
		{"a name that is none, of 4 MB", "chartName has 4000000 bytes, the limit is 250", func(w *hub.WorkloadDeployed) { w.ChartName = strings.Repeat("\x1b", 4_000_000) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := aDeploy()
			test.change(&w)
			err := checkDeploy(w)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("got %v, want %s", err, test.want)
			}
			if text := err.Error(); len(text) > 500 || strings.ContainsAny(text, "\x1b\r\n\u0085\u202e") {
				t.Errorf("the error is none for a log: %.600q", text)
			}
		})
	}
}
