package handlers_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/handlers"
	"octo-operator/hub"
)

// withoutDaemon is a rig for what is done once, without a daemon.
func withoutDaemon(t *testing.T, options ...option) *rig {
	t.Helper()
	t.Parallel()
	return newWorld(t, options...)
}

func (r *rig) values(e hub.Event, withChart bool) string {
	r.Helper()
	var out bytes.Buffer
	r.must(r.once().PrintValues(r.Context(), &out, e, withChart))
	return out.String()
}

func TestTheValuesCommandPrintsWhatHelmWouldGet(t *testing.T) {
	r := withoutDaemon(t, with("INSTANCEPREFIX", "prod"))
	e := deployEvent("shop", secret("secrets.key", "planted-key"), override("image.tag", "1.10"), override("port", "9090"), func(w *hub.WorkloadDeployed) {
		w.ValuesYaml = "colour: green\n"
	})
	with, without := r.values(e, true), r.values(e, false)
	wantText(t, with, "instancePrefix: prod", "colour: green", `tag: "1.10"`, "port: 9090", "secretKeyRef:")
	wantText(t, without, `port: "9090"`) // nobody knows that it is a number
	if strings.Contains(with+without, "planted-key") {
		t.Errorf("it prints the secret:\n%s", with)
	}
	if left, _ := filepath.Glob(filepath.Join(r.disk, "aside-*")); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
	if got := r.cluster.paths("/"); len(got) > 0 {
		t.Errorf("it has made %q", got)
	}
}

func TestTheValuesCommandExplainsWithTheChartsOwnDefaults(t *testing.T) {
	r := withoutDaemon(t)
	explained := func(path string, asJSON, withChart bool) string {
		var out bytes.Buffer
		r.must(r.once().ExplainValues(t.Context(), &out, deployEvent("shop", override("port", "9090"), secret("image.tag", "planted-key")), path, asJSON, withChart))
		return strings.Join(strings.Fields(out.String()), " ")
	}
	for _, test := range []struct{ got, want string }{
		{explained("port", false, true), `PATH LAYER TYPE VALUE port values integer 9090 from the text "9090": the chart's values.yaml has a number there - chart integer 8080`},
		{explained("port", false, false), `PATH LAYER TYPE VALUE port values string "9090"`},
		{explained("image.repository", true, true), `{ "values": [ { "path": "image.repository", "layer": "chart", "type": "string", "value": "demo/app" } ], "leftOut": [] }`},
	} {
		if test.got != test.want {
			t.Errorf("got\n%s\nwant\n%s", test.got, test.want)
		}
	}
	wantText(t, explained("", false, true), "tenantId context string", "secret in Secret", "(masked, because a secret was set here)")
	if strings.Contains(explained("", true, true), "planted") {
		t.Error("it prints the secret")
	}
	err := r.once().ExplainValues(t.Context(), &bytes.Buffer{}, deployEvent("shop"), "none", false, true)
	if err == nil || err.Error() != `cannot explain "none": neither the values document nor the chart's values.yaml has something there` {
		t.Errorf("got %v", err)
	}
}

func TestTheValuesCommandSaysWhatIsWrong(t *testing.T) {
	r := withoutDaemon(t)
	for want, change := range map[string]func(*hub.WorkloadDeployed){
		"cannot merge the values: tenantId is empty":     func(w *hub.WorkloadDeployed) { w.TenantID = "" },
		"cannot pull the chart: repositoryUrl is not":    func(w *hub.WorkloadDeployed) { w.RepositoryURL = "ftp://x" },
		"cannot get chart demo 9.9.9 from " + repository: version("9.9.9"),
		"valuesYaml": func(w *hub.WorkloadDeployed) { w.ValuesYaml = "a: [" },
	} {
		err := r.once().PrintValues(t.Context(), &bytes.Buffer{}, deployEvent("shop", change), true)
		if err == nil {
			t.Errorf("no error, want %q", want)
			continue
		}
		wantText(t, err.Error(), want)
	}
}

func TestAnEventCanBeHandledOnceWithoutADaemon(t *testing.T) {
	r := withoutDaemon(t)
	l := r.once()
	var result runs.Result
	r.must(l.Accept(deployEvent("shop"), func(ended runs.Result) { result = ended }))
	l.Wait()
	r.succeed(result)
	r.wantHistory("shop", "1 deployed")
}

func TestTheVersionsOfTheToolsArePrinted(t *testing.T) {
	r := withoutDaemon(t)
	var out bytes.Buffer
	r.must(handlers.PrintToolVersions(&out, r.once().environ()))
	if got := out.String(); got != "helm v4.3.1\nkubectl v1.35.0\n" {
		t.Errorf("it prints %q", got)
	}
	r.fails("helm version", "Error: exec format error")
	out.Reset()
	err := handlers.PrintToolVersions(&out, r.once().environ())
	if err == nil || out.String() != "kubectl v1.35.0\n" {
		t.Fatalf("it prints %q, error %v", out.String(), err)
	}
	wantText(t, err.Error(), "cannot ask helm for its version", "exec format error")
}

func TestReadinessNamesWhatIsWrong(t *testing.T) {
	own := t.TempDir()
	r := newRig(t, with("SCRIPTSDIR", own))
	r.cluster.setAway(true)
	r.eventually("the API server is away", func() bool { return r.life.ClusterAway() != nil })
	wantText(t, r.life.ClusterAway().Error(), "cannot reach the API server")
	if err := r.life.Ready(); err != nil {
		t.Errorf("it is not the operator's own fault: %v", err)
	}
	r.must(os.WriteFile(filepath.Join(own, "workload-scale"), []byte("#!/bin/sh\n"), 0o600))
	r.must(os.Rename(filepath.Join(r.disk, "runs"), filepath.Join(r.disk, "gone")))
	wantText(t, r.life.Ready().Error(), "chmod +x", "set OPERATOR__STATEDIR")
	r.must(os.Rename(filepath.Join(r.disk, "gone"), filepath.Join(r.disk, "runs")))
}

func TestAnOperatorThatCanWorkIsReady(t *testing.T) {
	r := newRig(t)
	if err := r.life.Ready(); err != nil {
		t.Error(err)
	}
}

// It changes what all tests share, and so runs before those that run beside each other.
func TestReadinessNamesToolsThatAreMissing(t *testing.T) {
	r := newWorld(t)
	r.start()
	t.Setenv("PATH", t.TempDir())
	err := r.life.Ready()
	if err == nil {
		t.Fatal("it is ready")
	}
	wantText(t, err.Error(), "cannot run helm: it is not on PATH", "cannot run kubectl: it is not on PATH")
}

func TestAnEventThatCannotBeKeptIsRefused(t *testing.T) {
	r := newRig(t)
	runsDir := filepath.Join(r.disk, "runs")
	r.must(os.Rename(runsDir, runsDir+"-gone"))
	if err := r.life.Accept(deployEvent("shop"), nil); err == nil {
		t.Error("it was taken")
	}
	s := r.status("shop")
	if s.Success {
		t.Errorf("status: %+v", s)
	}
	wantText(t, s.StatusMessage, "the operator cannot take the event", "send it again")
	r.must(os.Rename(runsDir+"-gone", runsDir))
}

func TestAResultThatCannotBeWrittenIsWrittenLater(t *testing.T) {
	r := newRig(t)
	h, deploy := r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	dir := r.runDirs()[0]
	r.must(os.Rename(dir, dir+"-gone"))
	h.release()
	r.succeed(deploy.result())
	r.must(os.Rename(dir+"-gone", dir))
	r.shutdown(patience)
	var result struct{ Outcome string }
	if err := json.Unmarshal([]byte(r.file("result.json")), &result); err != nil || result.Outcome != "succeeded" {
		t.Errorf("result.json: %v, %+v", err, result)
	}
}

func TestOldRunsGoAndFailuresAndReportsStay(t *testing.T) {
	r := newRig(t)
	r.deploy("old")
	r.fails("helm upgrade", "Error: no")
	r.run(deployEvent("failed"))
	r.usually()
	r.status("old")
	r.status("failed")
	r.controller.setAway(true)
	r.deploy("unreported")
	r.deploy("newest")
	before := r.runDirs()
	r.kill()
	r.settings["KEEPRUNS"] = "1"
	r.start()
	r.eventually("the oldest run is gone", func() bool { return len(r.runDirs()) < len(before) })
	r.deploy("shop") // long enough for whatever else would go
	for i, name := range []string{"failed", "unreported", "newest"} {
		if _, err := os.Stat(before[i+1]); err != nil {
			t.Errorf("the run of %s: %v", name, err)
		}
	}
	if _, err := os.Stat(before[0]); err == nil {
		t.Error("the old run is there")
	}
}
