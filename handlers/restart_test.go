package handlers_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"octo-operator/handlers"
	"octo-operator/hub"
)

func TestAKilledOperatorsDeployIsResumed(t *testing.T) {
	r := newRig(t)
	r.acceptAndHold("upgrade", "shop", deployEvent("shop", secret("secrets.apiKey", "planted-key")))
	r.restart()
	r.wantSuccess("shop")
	if all := r.cluster.revisions(namespace, releaseName("shop")); newest(all).Status != "deployed" {
		t.Errorf("release of shop: revisions %q", r.cluster.releaseHistory(namespace, releaseName("shop")))
	}
	if got := r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets"); got["secrets.apiKey"] != "planted-key" {
		t.Errorf("the release's Secret has %q", got)
	}
}

func TestAKilledOperatorsUpgradeIsResumed(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "2")))
	r.wantHistory("shop", "1 deployed, 2 pending-upgrade")
	r.restart()
	r.wantSuccess("shop")
	if history := r.cluster.releaseHistory(namespace, releaseName("shop")); strings.Contains(history, "pending") || !strings.HasSuffix(history, " deployed") {
		t.Errorf("revisions: %s", history)
	}
	r.wantImage("shop", "demo/app:2")
}

func TestAKilledOperatorsUndeployIsResumed(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.acceptAndHold("uninstall", "shop", undeployEvent("shop"))
	r.restart()
	r.eventually("the release is gone", func() bool { return r.cluster.releaseHistory(namespace, releaseName("shop")) == "" })
}

func TestOfWhatAKilledOperatorHadQueuedTheNewestRuns(t *testing.T) {
	r := newRig(t)
	r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "1")))
	r.accept(deployEvent("shop", override("image.tag", "2")))
	r.accept(deployEvent("shop", override("image.tag", "3")))
	r.restart()
	r.eventually("all three runs have a result", func() bool { return len(r.results()) == 3 })
	r.wantImage("shop", "demo/app:3")
	if got := r.results(); !slices.Equal(got, []string{"succeeded", "superseded", "succeeded"}) {
		t.Errorf("the runs have %q", got)
	}
}

func TestWhatAKilledOperatorHadBegunIsNotLeftHalfDoneForADeployThatFails(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		begin func(*rig)
		again func(*rig)
	}{
		{"on its disk", (*rig).upgradeHalf, (*rig).restart},
		{"on another disk", (*rig).upgradeHalf, (*rig).freshDisk},
		{"with nothing but its secret applied", (*rig).applySecretAlone, (*rig).restart},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.deploy("shop", secret("secrets.key", "planted-1"))
			test.begin(r)
			r.accept(deployEvent("shop", version("9.9.9"))) // there is none
			r.eventually("both are in the cluster", func() bool { return r.copies() == 2 })
			test.again(r)
			r.wantAllOfTheFirst()
		})
	}
}

func TestWhatAnOutageHasCutShortIsNotLeftHalfDoneForADeployThatFails(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", secret("secrets.key", "planted-1"))
	h := r.upgradeUntil()
	r.cluster.setAway(true)
	h.die()
	r.eventually("it is to be tried again", func() bool { return strings.Contains(r.log.String(), `"event tried again: `) })
	r.accept(deployEvent("shop", version("9.9.9"))) // there is none
	r.cluster.setAway(false)
	r.wantAllOfTheFirst()
}

// upgradeUntil begins a deploy of shop whose helm hangs after it has applied the objects.
func (r *rig) upgradeUntil() *hold {
	r.Helper()
	h, _ := r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "2"), secret("secrets.key", "planted-2")))
	return h
}

func (r *rig) upgradeHalf() { r.upgradeUntil() }

// applySecretAlone begins a deploy of shop that hangs after its secret is in the cluster.
func (r *rig) applySecretAlone() {
	r.Helper()
	applied := make(chan struct{})
	var once sync.Once
	r.when("kubectl apply", func(c *call, usual func() int) int {
		code := usual()
		if !c.dry() {
			once.Do(func() { close(applied); <-c.gone })
		}
		return code
	})
	r.accept(deployEvent("shop", override("image.tag", "2"), secret("secrets.key", "planted-2")))
	<-applied
}

// wantAllOfTheFirst wants shop as the first of two deploys asked for, of which the second has failed.
func (r *rig) wantAllOfTheFirst() {
	r.Helper()
	r.eventually("the second has failed", func() bool { return slices.Contains(r.results(), "failed") })
	if all := r.results(); !slices.Equal(all[max(0, len(all)-2):], []string{"succeeded", "failed"}) {
		r.Errorf("the runs have %q", all)
	}
	r.wantImage("shop", "demo/app:2")
	if got := newest(r.cluster.revisions(namespace, releaseName("shop"))); got.Status != "deployed" || fmt.Sprint(section(got.Content.Values, "image")["tag"]) != "2" {
		r.Errorf("revisions %s, the newest with the values %v", r.cluster.releaseHistory(namespace, releaseName("shop")), got.Content.Values)
	}
	if got := r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets"); got["secrets.key"] != "planted-2" {
		r.Errorf("the release's Secret has %q", got)
	}
}

// results are the outcomes of the runs that have ended, oldest first.
func (r *rig) results() (all []string) {
	r.Helper()
	for _, dir := range r.runDirs() {
		text, err := os.ReadFile(filepath.Join(dir, "result.json"))
		if os.IsNotExist(err) {
			continue
		}
		r.must(err)
		var result struct{ Outcome string }
		r.must(json.Unmarshal(text, &result))
		all = append(all, result.Outcome)
	}
	return all
}

func TestAReportWaitsForTheControllerOverLives(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		next func(*rig)
	}{
		{"on the same disk", (*rig).restart},
		{"on a fresh disk", (*rig).freshDisk},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.controller.setAway(true)
			r.deploy("shop")
			r.eventually("the cluster has the report", func() bool { return r.reportsKept() != "" })
			test.next(r)
			r.controller.setAway(false)
			r.wantSuccess("shop")
			r.eventually("the report is forgotten", func() bool { return r.reportsKept() == "" })
			r.restart()
			r.deploy("bank")
			r.status("bank")
			if got := len(r.controller.all(methodDeploymentStatus)); got != 2 {
				t.Errorf("%d statuses were reported, want 2", got)
			}
		})
	}
}

// copies is how many events the cluster keeps.
func (r *rig) copies() (n int) {
	for _, path := range r.cluster.paths("/api/v1/namespaces/" + namespace + "/secrets/octo-journal") {
		n += len(section(r.cluster.get(path), "data"))
	}
	return n
}

// reportsKept are the versions of the cluster's copies of what the controller has not been told yet.
func (r *rig) reportsKept() (versions string) {
	for _, path := range r.cluster.paths("/api/v1/namespaces/" + namespace + "/secrets/octo-journal") {
		o := r.cluster.get(path)
		for key := range section(o, "data") {
			if strings.HasSuffix(key, ".report") {
				versions += fmt.Sprint(section(o, "metadata")["resourceVersion"], " ")
			}
		}
	}
	return versions
}

func TestAReportThatTheControllerRefusesIsForgotten(t *testing.T) {
	r := newRig(t)
	r.controller.setRefuse(methodDeploymentStatus, hub.ErrUnsupported)
	r.deploy("shop")
	r.eventually("the report is forgotten", func() bool { return r.file("report.json") == "" && r.reportsKept() == "" })
}

func TestAnEventSurvivesItsDisk(t *testing.T) {
	r := newRig(t)
	r.acceptAndHold("upgrade", "shop", deployEvent("shop", secret("secrets.apiKey", "planted-key")))
	r.freshDisk()
	r.wantSuccess("shop")
	if got := r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets"); got["secrets.apiKey"] != "planted-key" {
		t.Errorf("the release's Secret has %q", got)
	}
}

func TestTheClusterKeepsNothingOfWhatHasEnded(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.succeed(r.run(undeployEvent("shop")))
	r.eventually("the copies are gone", func() bool { return len(r.cluster.paths("/api/v1/namespaces/"+namespace+"/secrets/")) == 0 })
	r.shutdown(patience)
	for _, path := range r.cluster.paths("/") {
		if !strings.Contains(path, "/leases/") { // says who led last
			t.Errorf("the operator has ended and left %q", path)
		}
	}
}

func TestAStandbyStartsNothingAndTakesUpAtOnceWhatTheLeaderLeaves(t *testing.T) {
	r := newRig(t)
	h, first := r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "1")))
	r.accept(deployEvent("shop", override("image.tag", "2"))) // waits behind the first
	next := newWorld(t, in(r))
	next.standBy()
	next.eventually("it stands by", func() bool { return len(next.log.records("another operator leads: this one stands by")) > 0 })
	if leads, who := next.life.Leads(); leads || who == "" {
		t.Errorf("leads: %v; who does: %q", leads, who)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); r.shutdown(patience) }()
	h.release()
	r.succeed(first.result())
	<-ended
	next.leads()
	next.wantSuccess("shop")
	next.eventually("both are done", func() bool {
		return r.cluster.releaseHistory(namespace, releaseName("shop")) == "1 superseded, 2 deployed"
	})
	r.wantImage("shop", "demo/app:2")
	if leads, _ := next.life.Leads(); !leads {
		t.Error("it works and does not lead")
	}
}

func TestAnOperatorThatMayKeepNothingInTheClusterWorksFromItsDisk(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) {
		r.cluster.setRefuse(func(_, path string) *status {
			if strings.Contains(path, "/leases") || strings.Contains(path, "octo-journal") {
				return &status{403, "Forbidden", "leases is forbidden"}
			}
			return nil
		})
	}))
	r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	r.restart()
	r.wantSuccess("shop")
	if !strings.Contains(r.log.String(), "leases is forbidden") {
		t.Error("nobody is told")
	}
}

func TestWithoutTheClustersCopyTheDiskIsEnough(t *testing.T) {
	r := newRig(t, with("CLUSTERJOURNAL", "false"))
	r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	r.restart()
	r.wantSuccess("shop")
}

func TestAnEventThatCannotBeReadBackIsNamed(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.kill()
	dir := r.runDirs()[0]
	r.must(os.Remove(filepath.Join(dir, "result.json")))
	r.must(os.WriteFile(filepath.Join(dir, "event.json"), []byte("{"), 0o600))
	r.must(os.WriteFile(filepath.Join(dir, "report.json"), []byte("{"), 0o600))
	r.start()
	for _, message := range []string{"run not resumed", "status not reported"} {
		if len(r.log.records(message, "run", filepath.Base(dir))) == 0 {
			t.Errorf("the log lacks %q", message)
		}
	}
	r.deploy("bank")
}

// pending puts a release into the cluster whose newest revision somebody has begun some time ago.
func (r *rig) pending(workload, status string, age time.Duration) {
	labels := map[string]string{group + "/tenant": tenant, group + "/workload-rt-id": rtID(workload)}
	r.foreign(workload, labels, nil)
	v := revision{Name: releaseName(workload), Namespace: namespace, Number: 2, Status: status, Labels: labels}
	r.cluster.putRevision(v)
	r.cluster.age(v.path(), age)
}

func TestAnotherHelmsWorkIsNotDisturbed(t *testing.T) {
	r := newRig(t)
	r.pending("shop", "pending-upgrade", time.Minute)
	r.wantFailure(r.run(deployEvent("shop")), "shop", "pending-upgrade", "another helm works on it")
	r.wantHistory("shop", "1 deployed, 2 pending-upgrade")
}

// helm hands labels down: the revision that a person's helm makes has the label of our last run.
func TestAPersonsHelmThatBeginsWhileOursFailsIsNotDisturbed(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	r.when("helm upgrade", func(_ *call, usual func() int) int {
		last := newest(r.cluster.revisions(namespace, releaseName("shop")))
		r.cluster.putRevision(revision{Name: last.Name, Namespace: namespace, Number: last.Number + 1, Status: "pending-upgrade", Labels: last.Labels})
		return usual()
	})
	r.wantFailure(r.run(deployEvent("shop", override("image.tag", "2"))), "shop", "another")
	r.wantHistory("shop", "1 deployed, 2 pending-upgrade")
	r.wantFailure(r.run(deployEvent("shop", override("image.tag", "3"))), "shop", "pending-upgrade", "another helm works on it")
	r.wantHistory("shop", "1 deployed, 2 pending-upgrade")
}

// A deploy of ours that failed long ago says nothing about what a person does since: their rollback or uninstall may take minutes.
func TestAPersonsRollbackOrUninstallAfterAFailedDeployIsNotDisturbed(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"pending-rollback", "uninstalling"} {
		t.Run(status, func(t *testing.T) {
			r := newRig(t)
			r.deploy("shop")
			r.status("shop")
			r.when("helm template", func(*call, func() int) int { return 1 }) // the chart cannot be rendered
			r.wantFailure(r.run(deployEvent("shop", override("image.tag", "2"))), "shop", "workload-deploy")
			r.wantHistory("shop", "1 deployed")
			last := newest(r.cluster.revisions(namespace, releaseName("shop")))
			theirs := revision{Name: last.Name, Namespace: namespace, Number: last.Number + 1, Status: status, Labels: last.Labels}
			r.cluster.putRevision(theirs)
			r.cluster.age(theirs.path(), time.Minute)
			r.wantFailure(r.run(deployEvent("shop", override("image.tag", "3"))), "shop", status, "another helm works on it")
			r.wantHistory("shop", "1 deployed, 2 "+status)
		})
	}
}

func TestWhatADeadHelmHasLeftIsRecovered(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"pending-install", "pending-upgrade", "pending-rollback", "uninstalling"} {
		t.Run(status, func(t *testing.T) {
			r := newRig(t)
			r.pending("shop", status, time.Hour)
			r.deploy("shop")
			if history := r.cluster.releaseHistory(namespace, releaseName("shop")); strings.Contains(history, status) || !strings.HasSuffix(history, " deployed") {
				t.Errorf("revisions: %s", history)
			}
		})
	}
}

func TestWhatAHelmThatWasKilledHasLeftIsRecoveredAtOnce(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	h, a := r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "2")))
	h.die()
	r.wantFailure(a.result(), "shop", "SIGKILL", "rolled back to revision 1")
	r.wantHistory("shop", "1 superseded, 2 deployed")
	r.deploy("shop", override("image.tag", "3"))
	r.wantHistory("shop", "1 superseded, 2 superseded, 3 deployed")
	r.wantImage("shop", "demo/app:3")
}

func TestASecondOperatorOnTheSameDiskIsRefused(t *testing.T) {
	r := newRig(t)
	_, err := handlers.Open(r.config(), nil, r.life.session, slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("it was not")
	}
	wantText(t, err.Error(), r.disk)
}

func TestWhatAKillHasHalfMadeIsNoEventAndGoes(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", secret("secrets.key", "planted-key"))
	r.kill()
	half := filepath.Join(r.disk, "runs", ".new-123")
	r.must(os.Mkdir(half, 0o700))
	r.must(os.WriteFile(filepath.Join(half, "event.json"), []byte("{}"), 0o600))
	r.must(os.WriteFile(filepath.Join(r.runDirs()[0], "secret.yaml"), []byte("planted-key"), 0o600))
	r.start()
	if got := filesWith(t, r.disk, "planted-key"); len(got) > 0 {
		t.Errorf("the secret lies in %q", got)
	}
	if _, err := os.Stat(half); !os.IsNotExist(err) {
		t.Errorf("the half-made run is there: %v", err)
	}
}
