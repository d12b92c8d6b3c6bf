package release

import (
	"encoding/json"
	"testing"

	"octo-operator/dev/fixtures"
	"octo-operator/dispatch/reason"
	"octo-operator/hub"
	"octo-operator/names"
)

func TestAFailureNamesTheReleaseTheChartAndTheRefusedObject(t *testing.T) {
	d := &Deployer{parts: parts{settings: fixtures.Settings(t, "OPERATOR__STATEDIR=/state")}}
	argument, err := json.Marshal(hub.WorkloadDeployed{Workload: shop, ChartName: "app", ChartVersion: "1.0.0", RepositoryURL: "https://me:planted@charts.example/?sig=planted"})
	if err != nil {
		t.Fatal(err)
	}
	task := runTask(t)
	task.Event = hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: argument}
	for file, text := range map[string]string{ManifestFile: manifest, dryRunFile: "configmap/web created\n"} {
		if err := task.Write(file, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	own, err := names.ReleaseOf(d.settings, shop)
	if err != nil {
		t.Fatal(err)
	}
	for found, want := range map[names.Release]string{{}: own.Name, {Name: "cut", Namespace: own.Namespace}: "cut"} {
		task.Release = found
		var f reason.Failure
		d.Facts(task, &f)
		if f.Release != want || f.Namespace != own.Namespace || f.Chart != "app" || f.Version != "1.0.0" || f.Repository != "https://charts.example/" || f.Object != "Deployment web" {
			t.Errorf("the failure is %+v", f)
		}
	}
}

func TestADeployHasBegunWhenItsLastFileIsWritten(t *testing.T) {
	task := runTask(t)
	if Installing(task.Run) {
		t.Error("it has begun before")
	}
	if err := (&Deployment{task: task, secret: secretChange{writes: true, manifest: []byte("s")}}).WriteFiles(); err != nil {
		t.Fatal(err)
	}
	if !Installing(task.Run) || !task.Has("secret.yaml") {
		t.Error("it has not begun")
	}
	task = runTask(t)
	if err := (&Deployment{task: task}).WriteFiles(); err != nil {
		t.Fatal(err)
	}
	if task.Has("secret.yaml") {
		t.Error("a Secret is written that nobody wants")
	}
}
