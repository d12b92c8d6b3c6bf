package handlers_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
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
	s.index, s.rig = index, r
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

func unpinned(w *hub.WorkloadDeployed) { w.ChartVersion = "" }

func TestTheArchiveIsGotFromTheAddressThatTheIndexHas(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	r.deploy("shop", s.from)
	r.wantPulled(s.URL + "/archives/demo-1.2.3.tgz")
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
	r.wantPulled(s.URL + "/archives/demo-1.2.3.tgz")
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
	r.wantPulled(s.URL+"/archives/demo-1.2.3.tgz", s.URL+"/archives/demo-2.0.0.tgz")
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

func TestAnAddressThatMayHoldASecretIsInNoLog(t *testing.T) {
	t.Parallel()
	for _, archive := range []string{"archives/demo-1.2.3.tgz?token=planted-token", "https://user:planted-token@HOST/archives/demo-1.2.3.tgz"} {
		t.Run("", func(t *testing.T) {
			s := newChartServer(t)
			r := newRig(t, s.trusted())
			s.lists(r, "1.2.3")
			s.index = strings.Replace(s.index, "archives/demo-1.2.3.tgz", `"`+strings.Replace(archive, "HOST", s.Listener.Addr().String(), 1)+`"`, 1)
			withQuery := func(w *hub.WorkloadDeployed) { w.RepositoryURL = s.URL + "/charts?sig=planted-token" }
			for name, how := range map[string]func(){
				"it works": func() { r.usually(); r.deploy("shop", s.from) },
				"the archive is not there": func() {
					r.whenPulled(func(w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(http.StatusNotFound) })
					r.wantFailure(r.run(deployEvent("bank", withQuery)), "bank", "does not have its archive")
				},
				"the host of a redirect is not trusted": func() {
					r.whenPulled(func(w http.ResponseWriter, request *http.Request, _ func()) {
						http.Redirect(w, request, strings.Replace(s.URL, "127.0.0.1", "localhost", 1)+"/x?X-Amz-Signature=planted-token", http.StatusFound)
					})
					r.wantFailure(r.run(deployEvent("desk", withQuery)), "desk", "cannot be verified")
				},
			} {
				how()
				if seen := r.log.String() + r.file("output.log") + r.file("result.json"); strings.Contains(seen, "planted-token") {
					t.Errorf("%s: it is in the log or in the run directory: %s", name, seen)
				}
			}
		})
	}
}

func TestAnIndexMayReferToARegistryWhichGetsNoCredentials(t *testing.T) {
	s := newChartServer(t)
	r := newRig(t, s.trusted())
	s.lists(r, "1.2.3")
	s.index = strings.Replace(s.index, "archives/demo-1.2.3.tgz", "oci://registry.test/charts/demo:1.2.3", 1)
	r.whenPulled(func(_ http.ResponseWriter, request *http.Request, usual func()) {
		if got := request.Header.Get("Authorization"); got != "" {
			t.Errorf("it got %q", got)
		}
		usual()
	})
	r.deploy("shop", s.from, reader)
	r.wantPulled("oci://registry.test/charts/demo:1.2.3")
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
	r.whenPulled(func(_ http.ResponseWriter, _ *http.Request, usual func()) { again(); usual() })
	r.deploy("shop", s.from)
	s.counts(t, 2, 2)
}
