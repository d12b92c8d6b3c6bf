package release

import (
	"maps"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/config"
	"octo-operator/handlers/release/charts"
	"octo-operator/hub"
	"octo-operator/merge"
	"octo-operator/names"
)

var shop = hub.Workload{Pool: hub.Pool{TenantID: "acme", PoolRtID: "65d5c447b420da3fb12381bc"}, WorkloadRtID: "65d5c447b420da3fb12381bd", WorkloadName: "Shop"}

// inPlace is a reconciliation that finds what it asks for.
func inPlace() *Deployment {
	d := &Deployment{Event: hub.WorkloadDeployed{Workload: shop, IsReconciliation: true}, content: "c1"}
	d.live = live(2)
	d.live.labels = names.WorkloadLabels(shop)
	maps.Copy(d.live.labels, map[string]string{"version": "7", "status": "deployed", names.RolloutLabel: names.RolloutReady, names.ContentLabel: "c1"})
	return d
}

func TestAReconciliationDeploysNothingOnlyWhereAllOfItIsThere(t *testing.T) {
	for name, test := range map[string]struct {
		edit func(*Deployment)
		want bool
	}{
		"all is there":                           {func(*Deployment) {}, true},
		"a deploy that somebody asks for":        {func(d *Deployment) { d.Event.IsReconciliation = false }, false},
		"no release":                             {func(d *Deployment) { d.live = liveState{} }, false},
		"somebody has deployed by hand":          {func(d *Deployment) { d.live.byHand = true }, false},
		"the last deploy failed":                 {func(d *Deployment) { d.live.labels["status"] = "failed" }, false},
		"its pods have never been ready":         {func(d *Deployment) { d.live.labels[names.RolloutLabel] = names.RolloutWaiting }, false},
		"other values":                           {func(d *Deployment) { d.content = "c2" }, false},
		"another pool":                           {func(d *Deployment) { d.Event.PoolRtID = "65d5c447b420da3fb12381be" }, false},
		"it sleeps":                              {func(d *Deployment) { d.live.replicas = live(0).replicas }, false},
		"it is to sleep, and runs":               {func(d *Deployment) { d.Event.Hibernated = true }, false},
		"it is to sleep, and does":               {func(d *Deployment) { d.Event.Hibernated, d.live.replicas = true, live(0).replicas }, true},
		"it has no Deployment":                   {func(d *Deployment) { d.live.replicas = nil }, true},
		"an adapter pool's Deployments are gone": {func(d *Deployment) { d.Event.WorkloadType, d.live.replicas = hub.AdapterPool, nil }, false},
		"the Secret is another":                  {func(d *Deployment) { d.secret.writes = true }, false},
		"a restart is owed":                      {func(d *Deployment) { d.secret.restarts.add("deployment/web", "h", []string{"a"}) }, false},
	} {
		d := inPlace()
		test.edit(d)
		if got := d.matches(); got != test.want {
			t.Errorf("%s: nothing to do is %v", name, got)
		}
	}
}

func TestARevisionsLabelsTellItsRunAndWhatItIsMadeOf(t *testing.T) {
	d := &Deployment{task: runTask(t), Event: hub.WorkloadDeployed{Workload: shop}, content: "c1", serverSide: true, Release: names.Release{Name: "a", Own: "a"}}
	want := names.WorkloadLabels(shop)
	maps.Copy(want, map[string]string{
		names.TenantHashLabel: names.HashOf("acme"), names.RunLabel: d.task.ShortID(), names.ContentLabel: "c1", names.RolloutLabel: "waiting",
		names.WakesLabel: "false", names.ServerSideLabel: "true",
	})
	if diff := cmp.Diff(want, d.labels()); diff != "" {
		t.Error(diff)
	}
	d.Release.Name, d.Event.WorkloadType, d.replicas.live = "cut", hub.AdapterPool, live(0)
	d.document.Values = map[string]any{replicaCount: 1}
	maps.Copy(want, map[string]string{names.LaneLabel: "a", names.OwnerUIDLabel: names.NoOwner, names.WakesLabel: "true"})
	if diff := cmp.Diff(want, d.labels()); diff != "" {
		t.Errorf("an adapter pool with the reference operator's name, woken up: %s", diff)
	}
}

func TestTheScriptIsToldWhatHelmMust(t *testing.T) {
	settings := config.Config{}
	settings.Helm.ForceConflicts = true
	for name, test := range map[string]struct {
		edit func(*Deployment)
		want map[string]string
	}{
		"a first install": {func(d *Deployment) { d.serverSide = true },
			map[string]string{"UPGRADE": "false", "WAIT": "false", "SECRET": "", "DRY_RUN_FORCES": "false", "REPLICAS": "", "LOOKS_UP": "false", "FORCE_CONFLICTS": "false"}},
		"an upgrade":             {func(d *Deployment) { d.live.labels = map[string]string{"version": "1"} }, map[string]string{"UPGRADE": "true"}},
		"of a release of helm 3": {func(*Deployment) {}, map[string]string{"DRY_RUN_FORCES": "true"}},
		"conflicts are forced": {func(d *Deployment) { d.serverSide, d.settings = true, settings },
			map[string]string{"DRY_RUN_FORCES": "true", "FORCE_CONFLICTS": "true"}},
		"it goes to sleep": {func(d *Deployment) {
			d.serverSide, d.replicas.live, d.document.Values = true, live(2), map[string]any{replicaCount: 0}
		},
			map[string]string{"REPLICAS": "0", "DRY_RUN_FORCES": "true"}},
		"hooks come last":     {func(d *Deployment) { d.chart.HooksAfter = true }, map[string]string{"WAIT": "true"}},
		"a template looks up": {func(d *Deployment) { d.chart.LooksUp = true }, map[string]string{"LOOKS_UP": "true"}},
		"a value may":         {func(d *Deployment) { d.document.YAML = []byte(`a: '{{ lookup "v1" }}'`) }, map[string]string{"LOOKS_UP": "true"}},
		"a Secret with keys too many": {func(d *Deployment) { d.secret = secretChange{name: "s", writes: true, foreign: true} },
			map[string]string{"SECRET": "s", "SECRET_REPLACES": "true"}},
		"a Secret that is there": {func(d *Deployment) { d.secret = secretChange{name: "s"} }, map[string]string{"SECRET": "", "SECRET_REPLACES": "false"}},
	} {
		d := &Deployment{task: runTask(t), Event: hub.WorkloadDeployed{Workload: shop}}
		test.edit(d)
		got := d.scriptVariables()
		for key, want := range test.want {
			if got[key] != want {
				t.Errorf("%s: %s is %q, want %q", name, key, got[key], want)
			}
		}
	}
}

func TestADeploysContentIsTheSameWithOtherSecretsAndReplicasAlone(t *testing.T) {
	archive := filepath.Join(t.TempDir(), charts.File)
	content := func(chart string, hibernated bool, edit func(*merge.Input)) string {
		t.Helper()
		if err := os.WriteFile(archive, []byte(chart), 0o600); err != nil {
			t.Fatal(err)
		}
		in := merge.Input{
			Context: map[string]any{"tenantId": "acme"}, Values: []byte("a: 1"), Injected: []merge.Override{{Path: "secrets.rabbitmq", Value: "x", Secret: true}},
			Overrides: []merge.Override{{Path: "open", Value: "1"}, {Path: "key", Value: "x", Secret: true}},
		}
		edit(&in)
		got, err := contentOf(archive, in, hibernated)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	usual := content("chart", false, func(*merge.Input) {})
	if len(usual) != 40 {
		t.Errorf("%q is no label of 40 digits", usual)
	}
	for name, test := range map[string]struct {
		chart      string
		hibernated bool
		edit       func(*merge.Input)
		same       bool
	}{
		"another secret value":         {"chart", false, func(in *merge.Input) { in.Overrides[1].Value = "y" }, true},
		"another cluster's credential": {"chart", false, func(in *merge.Input) { in.Injected[0].Value = "y" }, true},
		"another count that runs":      {"chart", false, func(in *merge.Input) { in.Pinned = []merge.Override{{Path: replicaCount, Value: "3"}} }, true},
		"another override":             {"chart", false, func(in *merge.Input) { in.Overrides[0].Value = "2" }, false},
		"another secret's path":        {"chart", false, func(in *merge.Input) { in.Overrides[1].Path = "other" }, false},
		"another document":             {"chart", false, func(in *merge.Input) { in.Values = []byte("a: 2") }, false},
		"another setting":              {"chart", false, func(in *merge.Input) { in.Context["authUri"] = "https://a" }, false},
		"another chart":                {"other", false, func(*merge.Input) {}, false},
		"asleep":                       {"chart", true, func(*merge.Input) {}, false},
	} {
		if got := content(test.chart, test.hibernated, test.edit); (got == usual) != test.same {
			t.Errorf("%s: the same is %v", name, got == usual)
		}
	}
	secrets := []merge.Override{{Path: "key", Value: "x", Secret: true}}
	if _, err := contentOf(archive, merge.Input{Overrides: secrets}, false); err != nil || secrets[0].Value != "x" {
		t.Errorf("the values to deploy are changed: %v, %v", secrets, err)
	}
	if _, err := contentOf(filepath.Join(t.TempDir(), "none"), merge.Input{}, false); err == nil {
		t.Error("a chart that is not there has a content")
	}
}
