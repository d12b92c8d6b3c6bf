package handlers_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/handlers/release"
	"octo-operator/hub"
)

// plan is what octo-operator plan does with an event, which has a state directory of its own.
func (r *rig) plan(e hub.Event) release.Preview {
	r.Helper()
	return r.planWith(e, "")
}

// planWith is plan with a chart that is there already; "": it is not.
func (r *rig) planWith(e hub.Event, chart string) release.Preview {
	r.Helper()
	disk := r.disk
	r.disk = tempDir(r.T)
	defer func() { r.disk = disk }()
	p, err := r.once().Plan(context.Background(), e, chart)
	r.must(err)
	if left, _ := filepath.Glob(filepath.Join(r.disk, "aside-*")); len(left) > 0 {
		r.Errorf("it leaves %q", left)
	}
	return p
}

func TestAPlanChangesNothing(t *testing.T) {
	r := withoutDaemon(t)
	p := r.plan(deployEvent("shop", secret("secrets.key", "planted-key"), override("note", "planted-key")))
	if p.Action != release.ActionInstall || !p.Changing || p.Summary != "2 objects new: Secret, Deployment" || p.Release != releaseName("shop") {
		t.Errorf("%+v", p)
	}
	for _, v := range p.Values {
		if text, is := v.Value.(string); is && strings.Contains(text, "planted") {
			t.Errorf("%s is %s", v.Path, text)
		}
	}
	if got := r.cluster.paths("/"); len(got) > 0 {
		t.Errorf("it has made %q", got)
	}
}

func TestAPlanSaysWhatIsRefusedAndWhy(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		event hub.Event
		does  func(*rig)
		want  string
	}{
		"a field":                         {deployEvent("shop", func(w *hub.WorkloadDeployed) { w.TenantID = "" }), func(*rig) {}, "tenantId is empty"},
		"a chart that cannot be rendered": {deployEvent("shop"), func(r *rig) { r.fails("helm template", "Error: nil pointer") }, "nil pointer"},
		"an object":                       {deployEvent("shop"), func(r *rig) { r.fails("kubectl apply", "Error from server: admission webhook denied the request: no") }, "denied the request"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newWorld(t)
			test.does(r)
			if p := r.plan(test.event); p.Action != "" || p.Changing || !strings.Contains(p.Refused, test.want) {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestAPlanOfAReconciliationThatFindsWhatItAsksForDoesNothing(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	if p := r.plan(deployEvent("shop", resent)); p.Action != release.ActionNothing || p.Changing || p.Summary != "nothing changed" {
		t.Errorf("%+v", p)
	}
	p := r.plan(deployEvent("shop", colour("blue"), resent))
	if p.Action != release.ActionUpgrade || p.Summary == "" {
		t.Errorf("%+v", p)
	}
	if got := r.deployed("shop"); !strings.HasSuffix(got, "1 revisions") {
		t.Errorf("the release is %s", got)
	}
}

// TestAPlanOfTheRunOfAReconciliationSaysWhatTheRunDid: its event is kept without its secret values.
func TestAPlanOfTheRunOfAReconciliationSaysWhatTheRunDid(t *testing.T) {
	for name, changes := range map[string][]func(*hub.WorkloadDeployed){
		"without secrets":                {},
		"with secrets":                   {secret("secrets.key", "planted-1"), secret("secrets.other", "planted-2")},
		"with a short one":               {secret("secrets.key", "x")},
		"with an empty one":              {secret("secrets.key", "")},
		"without a version":              {unpinned},
		"asleep":                         {hibernated},
		"of an adapter pool":             {adapterPool},
		"with credentials":               {reader},
		"with two at a path":             {secret("secrets.key", "planted-1"), secret("secrets.key", "planted-2")},
		"with a secret and then a value": {secret("secrets.key", "planted-1"), override("secrets.key", "planted-2")},
		"with the same value":            {secret("secrets.key", "planted-1"), override("note", "planted-1")},
		"with a long line":               {secret("secrets.key", "a\nb\n")},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.deploy("shop", changes...)
			r.succeed(r.run(deployEvent("shop", append(changes, resent)...)))
			wantText(t, r.file("changes.diff"), "nothing changed")
			event := hub.Event{Callback: hub.WorkloadDeployedCallback}
			var kept struct{ Argument json.RawMessage }
			r.must(json.Unmarshal([]byte(r.file("event.json")), &kept))
			event.Argument = kept.Argument
			dirs := r.runDirs()
			if p := r.planWith(event, filepath.Join(dirs[len(dirs)-1], "chart.tgz")); p.Action != release.ActionNothing || p.Changing || p.Summary != "nothing changed" || p.Diff != "nothing changed\n" ||
				!slices.Contains(p.Notes, "nothing to do: revision 1 of the release is what was asked for") {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestAPlanSaysWhyAReconciliationDeploysAgain(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.cluster.remove("/apis/apps/v1/namespaces/" + namespace + "/deployments/" + releaseName("shop"))
	if p := r.plan(deployEvent("shop", resent)); p.Action != release.ActionUpgrade || len(p.Notes) != 1 || !strings.HasPrefix(p.Notes[0], "deployed again, because the cluster had something else: Deployment ") {
		t.Errorf("%+v", p)
	}
}

func TestAPlanOfAReleaseThatIsStuckLeavesItAsItIs(t *testing.T) {
	r := newRig(t)
	h, a := r.acceptAndHold("upgrade", "shop", deployEvent("shop"))
	p := r.plan(deployEvent("shop"))
	if !strings.Contains(p.Refused, "another helm works on it") || len(p.Notes) != 1 || !p.Busy {
		t.Errorf("%+v", p)
	}
	h.release()
	r.succeed(a.result())
}

func TestOnlyDeploysHaveAPlan(t *testing.T) {
	r := withoutDaemon(t)
	if _, err := r.once().Plan(context.Background(), undeployEvent("shop"), ""); err == nil || !strings.Contains(err.Error(), "only deploys of workloads (WorkloadDeployed) have a plan") {
		t.Errorf("%v", err)
	}
}

func TestASecretThatIsAnOrdinaryWordKeepsNoPlanFromBeingShown(t *testing.T) {
	r := newRig(t)
	p := r.plan(deployEvent("shop", secret("secrets.switch", "true"), secret("secrets.word", "path"), override("debug", "true"), override("note", "the path")))
	if p.Refused != "" || p.Action != release.ActionInstall {
		t.Fatalf("got action %q, refused %q", p.Action, p.Refused)
	}
	values := map[string]any{}
	for _, v := range p.Values {
		values[v.Path] = v.Value
	}
	if values["note"] != "the [redacted]" || values["tenantId"] == nil {
		t.Errorf("got %v", values)
	}
}

// TestAPlanShowsNoValueThatTheChartPutsIntoASecret: nobody has flagged it, since it is the chart's own.
func TestAPlanShowsNoValueThatTheChartPutsIntoASecret(t *testing.T) {
	r := newRig(t, func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			return append(usual(release, namespace, values),
				object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": release + "-own", "namespace": namespace}, "stringData": object{"key": values["note"]}})
		}
	})
	for name, event := range map[string]hub.Event{
		"a deploy":         deployEvent("shop", override("note", "x7q")),
		"a reconciliation": deployEvent("shop", override("note", "x7q"), resent),
	} {
		p := r.plan(event)
		if text := fmt.Sprint(p); strings.Contains(text, "x7q") || !strings.Contains(text, "note") {
			t.Errorf("%s: the plan is %s", name, text)
		}
		r.succeed(r.run(deployEvent("shop", override("note", "x7q"))))
	}
}
