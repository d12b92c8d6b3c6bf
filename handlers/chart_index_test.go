package handlers_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"octo-operator/hub"
)

// lists makes the charts of a rig's shelf the server's index, in a new version.
func (s *chartServer) lists(r *rig, versions ...string) {
	r.Helper()
	index := "apiVersion: v1\nentries:\n  demo:\n"
	for _, version := range versions {
		content, _ := r.charts.get("demo", version)
		index += fmt.Sprintf("  - name: demo\n    version: %s\n    digest: %x\n    urls: [archives/demo-%s.tgz]\n", version, sha256.Sum256(content), version)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.index = index
	s.version++
}

func (s *chartServer) counts(t *testing.T, asked, sent int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.asked) != asked || s.sent != sent {
		t.Errorf("it was asked %d times for its index and has sent it %d times, want %d and %d", len(s.asked), s.sent, asked, sent)
	}
}

// pulled are the commands that have pulled a chart, without where to.
func (r *rig) pulled() (commands []string) {
	for _, c := range r.called("helm pull") {
		command, _, _ := strings.Cut(c.String(), " --destination")
		commands = append(commands, command)
	}
	return commands
}

func (r *rig) wantPulled(want ...string) {
	r.Helper()
	if got := r.pulled(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		r.Errorf("pulled by %q, want %q", got, want)
	}
}

func unpinned(w *hub.WorkloadDeployed) { w.ChartVersion = "" }

func TestHelmGetsTheAddressThatTheIndexHasAndNoIndex(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	r.wantPulled("helm pull " + s.URL + "/archives/demo-1.2.3.tgz")
}

func TestDeploysAtTheSameTimeShareOneIndexAndOneChart(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	var all []accepted
	for i := range 16 {
		all = append(all, r.accept(deployEvent(fmt.Sprint("shop ", i), s.from)))
	}
	for _, a := range all {
		r.succeed(a.result())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sent != 1 {
		t.Errorf("the index was sent %d times", s.sent)
	}
}

func TestAPinnedChartThatIsAtHandNeedsNeitherIndexNorNetwork(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	s.Close()
	r.deploy("bank", s.from)
	r.wantPulled("helm pull " + s.URL + "/archives/demo-1.2.3.tgz")
	s.counts(t, 1, 1)
}

func TestTheNewestVersionIsLookedUpForEachDeploy(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from, unpinned)
	r.deploy("shop", s.from, unpinned)
	s.counts(t, 2, 1)
	r.charts.add("demo", "2.0.0", nil)
	s.lists(r, "1.2.3", "2.0.0")
	r.deploy("shop", s.from, unpinned)
	r.wantPulled("helm pull "+s.URL+"/archives/demo-1.2.3.tgz", "helm pull "+s.URL+"/archives/demo-2.0.0.tgz")
}

func TestAVersionThatIsPublishedAfterTheIndexWasReadIsFound(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	r.charts.add("demo", "2.0.0", nil)
	s.lists(r, "1.2.3", "2.0.0")
	r.deploy("shop", s.from, func(w *hub.WorkloadDeployed) { w.ChartVersion = "2.0.0" })
}

func TestAVersionThatIsPublishedAgainIsSeenOnceTheIndexIsTooOld(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted(), with("INDEXMAXAGE", "0s"))
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	r.deploy("shop", s.from)
	s.counts(t, 2, 1)
	r.charts.add("demo", "1.2.3", map[string]string{"values.yaml": demoValues + "new: true\n"})
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	if got := len(r.pulled()); got != 2 {
		t.Errorf("it was pulled %d times, want once more", got)
	}
}

func TestAnArchiveThatIsNotTheOneInTheIndexIsRefused(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.charts.add("demo", "1.2.3", map[string]string{"values.yaml": "evil: true\n"})
	r.wantFailure(r.run(deployEvent("shop", s.from)), "shop", "cannot use chart demo 1.2.3 from "+s.URL+": the archive that it sends has the SHA-256 digest ")
	if installed := r.called("helm upgrade"); len(installed) > 0 {
		t.Errorf("it was installed: %s", installed[0])
	}
}

func TestACacheThatWentBadIsNone(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	kept, err := filepath.Glob(filepath.Join(r.disk, "charts", "*.tgz"))
	if err != nil || len(kept) != 1 {
		t.Fatalf("kept %v, %v", kept, err)
	}
	other, _ := r.charts.get("demo", "1.2.3")
	r.must(os.Remove(kept[0]))
	r.must(os.WriteFile(kept[0], other[:len(other)/2], 0o600))
	r.deploy("bank", s.from)
	if got := len(r.pulled()); got != 2 {
		t.Errorf("it was pulled %d times, want once more", got)
	}
}

func TestWhatARepositoryDoesNotHaveIsSaidWithoutHelm(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	for version, want := range map[string]string{
		"9.9.9": "the repository " + s.URL + " has no version 9.9.9 of chart demo: check chartName and chartVersion, or publish that version",
		">3":    "the repository " + s.URL + " has no version >3 of chart demo: ",
	} {
		r.wantFailure(r.run(deployEvent("shop", s.from, func(w *hub.WorkloadDeployed) { w.ChartVersion = version })), "shop", want)
	}
	none := func(w *hub.WorkloadDeployed) { w.ChartName = "other" }
	r.wantFailure(r.run(deployEvent("shop", s.from, none)), "shop", "the repository "+s.URL+" has no chart other: check chartName, or publish the chart")
	r.wantFailure(r.run(deployEvent("shop", s.from, none, unpinned)), "shop", "the repository "+s.URL+" has no chart other, or only pre-releases of it: ")
	r.wantPulled()
}

func TestWithCredentialsHelmGetsAnIndexOfOneChart(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	var config, index string
	r.when("helm pull", func(c *call, usual func() int) int {
		config = readFile(c.path(c.flag("repository-config")))
		index = readFile(filepath.Join(c.path(c.flag("repository-cache")), "workload-index.yaml"))
		return usual()
	})
	r.deploy("shop", s.from, func(w *hub.WorkloadDeployed) {
		w.RepositoryUsername, w.RepositoryPassword = "reader", "planted-password"
	})
	wantText(t, config, "username: reader", "password: planted-password", s.URL)
	wantText(t, index, `"demo"`, `"1.2.3"`, s.URL+"/archives/demo-1.2.3.tgz")
	r.wantPulled("helm pull workload/demo")
	if updates := r.called("helm repo"); len(updates) > 0 {
		t.Errorf("the whole index was read: %s", updates[0])
	}
	if left := r.file("repository-cache/workload-index.yaml") + r.file("repositories.yaml"); left != "" {
		t.Errorf("after the run there is still %s", left)
	}
}

func TestAnAddressThatMayHoldASecretIsOnNoCommandLine(t *testing.T) {
	for _, address := range []string{"https://charts.test/demo-1.2.3.tgz?token=planted-token", "https://user:planted-token@charts.test/demo-1.2.3.tgz"} {
		t.Run("", func(t *testing.T) {
			s := newChartServer(t)
			r := newRig(t, s.trusted())
			s.lists(r, "1.2.3")
			s.index = strings.Replace(s.index, "archives/demo-1.2.3.tgz", `"`+address+`"`, 1)
			var index string
			r.when("helm pull", func(c *call, usual func() int) int {
				index = readFile(filepath.Join(c.path(c.flag("repository-cache")), "workload-index.yaml"))
				return usual()
			})
			r.deploy("shop", s.from)
			wantText(t, index, address)
			r.wantPulled("helm pull workload/demo")
			if log := r.log.String(); strings.Contains(log, "planted-token") {
				t.Errorf("it is in the log: %s", log)
			}
		})
	}
}

func TestAnAddressOfAnotherKindIsLeftToHelm(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	s.index = strings.Replace(s.index, "archives/demo-1.2.3.tgz", "oci://registry.test/charts/demo:1.2.3", 1)
	r.deploy("shop", s.from)
	r.wantPulled("helm pull demo")
}

func TestAnAddressThatMayHoldASecretIsInNoReason(t *testing.T) {
	for said, want := range map[string]string{
		"failed to fetch https://charts.test/demo-1.2.3.tgz?token=planted-token : 403 Forbidden": "failed to fetch https://charts.test/demo-1.2.3.tgz?[redacted] : 403 Forbidden",
		"failed to fetch https://user:planted-token@charts.test/demo-1.2.3.tgz : 404 Not Found":  "failed to fetch https://[redacted]@charts.test/demo-1.2.3.tgz : 404 Not Found",
		// where a redirect leads to
		`Get "https://store.test/a?X-Amz-Signature=planted-token": x509: certificate signed by unknown authority`: `Get "https://store.test/a?[redacted]": x509: certificate signed by`,
	} {
		t.Run("", func(t *testing.T) {
			s := newChartServer(t)
			r := newRig(t, s.trusted())
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
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	s.index = strings.Replace(s.index, "  demo:", "  team/demo:", 1)
	var index string
	r.when("helm pull", func(c *call, usual func() int) int {
		index = readFile(filepath.Join(c.path(c.flag("repository-cache")), "workload-index.yaml"))
		return usual()
	})
	r.deploy("shop", s.from, func(w *hub.WorkloadDeployed) {
		w.ChartName, w.RepositoryUsername, w.RepositoryPassword = "team/demo", "reader", "planted-password"
	})
	wantText(t, index, `"team/demo":[`, `"name":"demo"`) // helm passes over a version whose name has a slash
}

func TestTheIndexOfARepositoryWithAQueryIsAskedForAsHelmDoes(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.deploy("shop", func(w *hub.WorkloadDeployed) { w.RepositoryURL = s.URL + "/charts?sig=a/b" })
	if want := "/charts/index.yaml :"; len(s.asked) != 1 || s.asked[0] != want {
		t.Errorf("asked for %q, want %q", s.asked, want)
	}
}

func TestAChartThatIsPublishedAgainWhileItIsPulledIsTaken(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	again := sync.OnceFunc(func() {
		r.charts.add("demo", "1.2.3", map[string]string{"values.yaml": demoValues + "new: true\n"})
		s.lists(r, "1.2.3")
	})
	r.when("helm pull", func(_ *call, usual func() int) int {
		again()
		return usual()
	})
	r.deploy("shop", s.from)
	s.counts(t, 2, 2)
}

func TestWhatWaitsForHelmToReadAnIndexKeepsNobodyFromWorking(t *testing.T) {
	s, unusual := newChartServer(t), newChartServer(t)
	r := newRig(t, s.trusted(), with("MEMORYLIMIT", "256Mi"), with("CONCURRENCY", "2")) // as many as it bears
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
