package handlers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/hub"
)

// pullsByHelm has the default chart-pull as the environment's own: helm pulls.
func pullsByHelm(r *rig) {
	dir := tempDir(r.T)
	script, err := os.ReadFile("../scripts/chart-pull")
	r.must(err)
	r.must(os.WriteFile(filepath.Join(dir, "chart-pull"), script, 0o700))
	r.settings["SCRIPTSDIR"] = dir
}

// wantHelmPulls compares the commands that have pulled a chart, without where to.
func (r *rig) wantHelmPulls(want ...string) {
	r.Helper()
	var got []string
	for _, c := range r.called("helm pull") {
		command, _, _ := strings.Cut(c.String(), " --destination")
		got = append(got, command)
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.Errorf("pulled by %q, want %q", got, want)
	}
}

// keepPulls keeps what each helm pull finds: its repositories.yaml, and the index that the operator has written for it. They are gone after
// the run.
func (r *rig) keepPulls() (config, index *string) {
	config, index = new(string), new(string)
	r.when("helm pull", func(c *call, usual func() int) int {
		*config = readFile(c.path(c.flag("repository-config")))
		*index = readFile(filepath.Join(c.path(c.flag("repository-cache")), "workload-index.yaml"))
		return usual()
	})
	return config, index
}

func TestAScriptGetsTheAddressThatTheIndexHasAndNoIndex(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted(), pullsByHelm)
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	r.wantHelmPulls("helm pull " + s.URL + "/archives/demo-1.2.3.tgz")
}

func TestAScriptGetsARegistrysCredentialsInAFile(t *testing.T) {
	r := newRig(t, pullsByHelm)
	var config string
	r.when("helm pull", func(c *call, usual func() int) int {
		config = readFile(c.path(c.flag("registry-config")))
		return usual()
	})
	r.deploy("shop", reader, func(w *hub.WorkloadDeployed) { w.RepositoryURL = "OCI://registry.test/charts" })
	wantText(t, config, "registry.test", "cmVhZGVyOnBsYW50ZWQtcGFzc3dvcmQ=")
	r.wantHelmPulls("helm pull oci://registry.test/charts/demo")
}

func TestAScriptGetsAnAddressThatMayHoldASecretInAFile(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted(), pullsByHelm)
	s.lists(r, "1.2.3")
	config, _ := r.keepPulls()
	r.deploy("shop", func(w *hub.WorkloadDeployed) { w.RepositoryURL = s.URL + "/charts?sig=planted-token" })
	wantText(t, *config, s.URL+"/charts?sig=planted-token")
	if seen := r.log.String() + r.file("output.log") + r.file("env"); strings.Contains(seen, "planted-token") {
		t.Errorf("it is in the log or in the run directory: %s", seen)
	}
}

func TestWithCredentialsHelmGetsAnIndexOfOneChart(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted(), pullsByHelm)
	s.lists(r, "1.2.3")
	config, index := r.keepPulls()
	r.deploy("shop", s.from, func(w *hub.WorkloadDeployed) {
		w.RepositoryUsername, w.RepositoryPassword = "reader", "planted-password"
	})
	wantText(t, *config, "username: reader", "password: planted-password", s.URL)
	wantText(t, *index, `"demo"`, `"1.2.3"`, s.URL+"/archives/demo-1.2.3.tgz")
	r.wantHelmPulls("helm pull workload/demo")
	if updates := r.called("helm repo"); len(updates) > 0 {
		t.Errorf("the whole index was read: %s", updates[0])
	}
	if left := r.file("repository-cache/workload-index.yaml") + r.file("repositories.yaml"); left != "" {
		t.Errorf("after the run there is still %s", left)
	}
}

func TestAnAddressThatMayHoldASecretIsOnNoCommandLine(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"https://charts.test/demo-1.2.3.tgz?token=planted-token", "https://user:planted-token@charts.test/demo-1.2.3.tgz"} {
		t.Run("", func(t *testing.T) {
			s := newChartServer(t)
			r := newRig(t, s.trusted(), pullsByHelm)
			s.lists(r, "1.2.3")
			s.index = strings.Replace(s.index, "archives/demo-1.2.3.tgz", `"`+address+`"`, 1)
			_, index := r.keepPulls()
			r.deploy("shop", s.from)
			wantText(t, *index, address)
			r.wantHelmPulls("helm pull workload/demo")
			if log := r.log.String(); strings.Contains(log, "planted-token") {
				t.Errorf("it is in the log: %s", log)
			}
		})
	}
}

func TestAnAddressOfAnotherKindIsLeftToHelm(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted(), pullsByHelm)
	s.lists(r, "1.2.3")
	s.index = strings.Replace(s.index, "archives/demo-1.2.3.tgz", "oci://registry.test/charts/demo:1.2.3", 1)
	r.deploy("shop", s.from)
	r.wantHelmPulls("helm pull demo")
}

func TestAnAddressThatMayHoldASecretIsInNoReason(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]string{
		"failed to fetch https://charts.test/demo-1.2.3.tgz?token=planted-token : 403 Forbidden": "failed to fetch https://charts.test/demo-1.2.3.tgz?[redacted] : 403 Forbidden",
		"failed to fetch https://user:planted-token@charts.test/demo-1.2.3.tgz : 404 Not Found":  "failed to fetch https://[redacted]@charts.test/demo-1.2.3.tgz : 404 Not Found",
		// where a redirect leads to
		`Get "https://store.test/a?X-Amz-Signature=planted-token": x509: certificate signed by unknown authority`: `Get "https://store.test/a?[redacted]": x509: certificate signed by`,
	} {
		t.Run("", func(t *testing.T) {
			s := newChartServer(t)
			r := newRig(t, s.trusted(), pullsByHelm)
			s.lists(r, "1.2.3")
			r.when("helm pull", func(c *call, _ func() int) int { return c.fail("%s", said) })
			r.wantFailure(r.run(deployEvent("shop", s.from)), "shop", want)
			if seen := r.log.String() + r.file("output.log") + r.file("result.json"); strings.Contains(seen, "planted-token") {
				t.Errorf("it is in the log or in the run directory: %s", seen)
			}
		})
	}
}

func TestAChartInAFolderIsFoundWithCredentialsToo(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted(), pullsByHelm)
	s.lists(r, "1.2.3")
	s.index = strings.Replace(s.index, "  demo:", "  team/demo:", 1)
	_, index := r.keepPulls()
	r.deploy("shop", s.from, func(w *hub.WorkloadDeployed) {
		w.ChartName, w.RepositoryUsername, w.RepositoryPassword = "team/demo", "reader", "planted-password"
	})
	wantText(t, *index, `"team/demo":[`, `"name":"demo"`) // helm passes over a version whose name has a slash
}

func TestWhatWaitsForHelmToReadAnIndexKeepsNobodyFromWorking(t *testing.T) {
	s, unusual := newChartServer(t), newChartServer(t)
	r := newRig(t, s.trusted(), pullsByHelm, with("MEMORYLIMIT", "256Mi"), with("CONCURRENCY", "2")) // as many as it bears
	s.lists(r, "1.2.3")
	unusual.setVersion(0)
	reads, goOn := make(chan struct{}, 2), make(chan struct{})
	r.when("helm pull demo", func(_ *call, usual func() int) int {
		reads <- struct{}{}
		<-goOn
		return usual()
	})
	slow := func(w *hub.WorkloadDeployed) { w.RepositoryURL = unusual.URL }
	first := r.accept(deployEvent("shop", slow))
	<-reads
	second := r.accept(deployEvent("bank", slow))
	r.eventually("the second one's question for the index", func() bool {
		unusual.mu.Lock()
		defer unusual.mu.Unlock()
		return len(unusual.asked) == 2
	})
	r.succeed(r.run(deployEvent("other", s.from, func(w *hub.WorkloadDeployed) { w.TenantID = "other" })))
	close(goOn)
	r.succeed(first.result())
	r.succeed(second.result())
}
