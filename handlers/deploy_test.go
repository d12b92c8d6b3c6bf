package handlers_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// Changes to a deploy.

func secret(path, value string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) {
		w.Values = append(w.Values, hub.Value{Path: path, Value: value, IsSecret: true})
	}
}

func override(path, value string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) { w.Values = append(w.Values, hub.Value{Path: path, Value: value}) }
}

func version(v string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) { w.ChartVersion = v }
}

func reconciliation(w *hub.WorkloadDeployed) { w.IsReconciliation = true }

func hibernated(w *hub.WorkloadDeployed) { w.Hibernated = true }

func TestADeployBecomesARelease(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", secret("secrets.apiKey", "planted-key"), override("image.tag", "1.10"), override("ingress.enabled", "false"))

	want := []string{
		"helm template " + releaseName("shop") + " chart.tgz (dry run)",
		"octo-operator look manifest.yaml",
		"kubectl apply manifest.yaml (dry run)",
		"kubectl apply secret.yaml",
		"helm upgrade " + releaseName("shop") + " chart.tgz",
	}
	if diff := cmp.Diff(want, r.commands()); diff != "" {
		t.Errorf("commands: %s", diff)
	}
	r.wantPulled(repository + "/demo:1.2.3")
	r.wantHistory("shop", "1 deployed")
	if diff := cmp.Diff(map[string]string{"secrets.apiKey": "planted-key"}, r.cluster.secret(namespace, releaseName("shop")+"-octo-secrets")); diff != "" {
		t.Errorf("the release's Secret: %s", diff)
	}
	for _, line := range []string{"tenantId: acme", "adapterRtId: " + rtID("shop"), `tag: "1.10"`, "enabled: false", "secretKeyRef:"} {
		if !strings.Contains(r.file("values.yaml"), line) {
			t.Errorf("values.yaml lacks %q:\n%s", line, r.file("values.yaml"))
		}
	}
	want2 := hub.WorkloadDeploymentStatus{TenantID: tenant, WorkloadName: "shop", WorkloadRtID: rtID("shop"), Success: true}
	if diff := cmp.Diff(want2, r.status("shop")); diff != "" {
		t.Errorf("status: %s", diff)
	}
}

func TestAReleaseSaysWhoseItIs(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	got := newest(r.cluster.revisions(namespace, releaseName("shop"))).Labels
	for key, want := range map[string]string{"tenant": tenant, "pool-rt-id": poolID, "workload-rt-id": rtID("shop"), "managed-by": "communication-operator"} {
		if got["octo-mesh.meshmakers.io/"+key] != want {
			t.Errorf("label %s is %q, want %q", key, got["octo-mesh.meshmakers.io/"+key], want)
		}
	}
}

func TestADeployOfWhatIsThereIsAnUpgrade(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.deploy("shop", override("image.tag", "2.0"))
	r.wantHistory("shop", "1 superseded, 2 deployed")
	r.wantImage("shop", "demo/app:2.0")
}

func TestAdapterPoolsGoToThePlatformNamespace(t *testing.T) {
	r := newRig(t, with("PLATFORMNAMESPACE", "platform"))
	r.deploy("adapters", func(w *hub.WorkloadDeployed) { w.WorkloadType = hub.AdapterPool }, secret("secrets.key", "planted-key"))
	if got := r.cluster.releaseHistory("platform", releaseName("adapters")); got != "1 deployed" {
		t.Errorf("the release there has %q", got)
	}
	if got := r.cluster.secret("platform", releaseName("adapters")+"-octo-secrets"); got["secrets.key"] != "planted-key" {
		t.Errorf("the Secret there has %q", got)
	}
}

func TestWorkloadsOfTheFirstGenerationAreKnownByTheirNames(t *testing.T) {
	r := newRig(t)
	w := hub.WorkloadDeployed{
		Workload:      hub.Workload{Pool: hub.Pool{TenantID: tenant, PoolName: "main"}, WorkloadName: "shop"},
		RepositoryURL: repository, ChartName: "demo",
	}
	r.succeed(r.run(event(hub.WorkloadDeployedCallback, w)))
	if got := r.cluster.releaseHistory(namespace, "acme-shop"); got != "1 deployed" {
		t.Errorf("release acme-shop has %q", got)
	}
	if s := r.status("shop"); s.PoolName != "main" || !s.Success {
		t.Errorf("status: %+v", s)
	}
}

func TestFieldsOfOthersAreTakenOnlyWhereThatIsSetAndByHelm4(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		version, set   string
		forces, dryRun bool
	}{
		{"v4.3.1", "false", false, false},
		{"v4.3.1", "true", true, true},
		{"v3.19.2", "false", false, true}, // to the server, helm 3 itself is another manager
		{"v3.19.2", "true", false, true},
	} {
		t.Run(test.version+" "+test.set, func(t *testing.T) {
			r := newRig(t, with("HELM__FORCECONFLICTS", test.set), prepared(func(r *rig) { r.helmVersion = test.version }))
			r.deploy("shop")
			upgrade, look := r.called("helm upgrade")[0], r.called("kubectl apply")[0]
			if upgrade.has("force-conflicts") != test.forces || upgrade.flag("timeout") != "5m0s" || upgrade.has("wait") {
				t.Errorf("helm got %q", upgrade.args)
			}
			if !look.dry() || look.has("force-conflicts") != test.dryRun {
				t.Errorf("kubectl got %q", look.args)
			}
		})
	}
}

func TestAHelmThatTheScriptsDoNotKnowIsNamed(t *testing.T) {
	r := newRig(t, prepared(func(r *rig) { r.helmVersion = "v2.17.0" }))
	r.wantFailure(r.run(deployEvent("shop")), "shop", `cannot use helm "v2.17.0": the scripts know helm 3 and helm 4`)
}

func TestTheWordsOfAFailingHelmAreTheStatus(t *testing.T) {
	r := newRig(t)
	r.when("helm upgrade", func(c *call, usual func() int) int {
		if c.dry() {
			return usual()
		}
		c.say("level=INFO msg=noise")
		return c.fail("UPGRADE FAILED: quota exceeded")
	})
	s := r.wantFailure(r.run(deployEvent("shop")), "shop", "quota exceeded")
	if strings.Contains(s.StatusMessage, "noise") {
		t.Errorf("the status holds helm's log: %s", s.StatusMessage)
	}
	var result struct{ Outcome, Reason string }
	if err := json.Unmarshal([]byte(r.file("result.json")), &result); err != nil || result.Outcome != "failed" || !strings.Contains(result.Reason, "quota exceeded") {
		t.Errorf("result.json: %v, %+v", err, result)
	}
}

func TestWhatTheServerRefusesInTheDryRunIsNeverDone(t *testing.T) {
	r := newRig(t)
	r.when("kubectl apply", func(c *call, usual func() int) int {
		if c.dry() {
			return c.fail(`admission webhook "policy" denied the request: no latest tags`)
		}
		return usual()
	})
	r.wantFailure(r.run(deployEvent("shop")), "shop", "denied the request: no latest tags")
	r.wantHistory("shop", "")
}

func TestAFailedUpgradeIsRolledBack(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.status("shop")
	h, a := r.acceptAndHold("upgrade", "shop", deployEvent("shop", override("image.tag", "broken")))
	h.fail("context deadline exceeded")
	r.wantFailure(a.result(), "shop", "context deadline exceeded")
	r.wantImage("shop", "demo/app:1.0")
}

func TestAFieldThatSomebodyElseOwnsIsExplainedAndTakenIfSoSet(t *testing.T) {
	t.Parallel()
	for _, force := range []string{"false", "true"} {
		t.Run("force conflicts "+force, func(t *testing.T) {
			r := newRig(t, with("HELM__FORCECONFLICTS", force))
			r.deploy("shop", override("replicaCount", "1"))
			r.status("shop")
			_, s := r.cluster.request("PATCH", deploymentPath("shop")+"?fieldManager=kubectl-edit", "application/merge-patch+json",
				object{"spec": object{"template": object{"metadata": object{"labels": object{"app.kubernetes.io/instance": "mine"}}}}})
			if s != nil {
				t.Fatal(s.message)
			}
			result := r.run(deployEvent("shop"))
			if force == "true" {
				r.succeed(result)
				return
			}
			r.wantFailure(result, "shop", `"kubectl-edit"`, ".spec.template.metadata.labels")
		})
	}
}

func TestAScriptThatHangsIsStoppedAndToldApart(t *testing.T) {
	r := newRig(t, with("SCRIPTDEADLINE", "1s"))
	r.hold("upgrade", "shop")
	r.wantFailure(r.run(deployEvent("shop")), "shop", "OPERATOR__SCRIPTDEADLINE")
}

func TestWhatCannotBeDeployedIsAnsweredWithTheReasonAndRunsNothing(t *testing.T) {
	r := newRig(t)
	for _, test := range []struct {
		name, want string
		change     func(*hub.WorkloadDeployed)
	}{
		{"no repository", "repositoryUrl is not an http://, https:// or oci:// URL", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "" }},
		{"a repository on the disk", "repositoryUrl is not", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "file:///etc" }},
		{"credentials in the URL", "repositoryUrl holds credentials", func(w *hub.WorkloadDeployed) { w.RepositoryURL = "https://u:planted-pw@charts.test" }},
		{"no chart", "chartName", func(w *hub.WorkloadDeployed) { w.ChartName = "" }},
		{"a chart that is a flag", "chartName", func(w *hub.WorkloadDeployed) { w.ChartName = "--post-renderer" }},
		{"a version that is a flag", "chartVersion", version("--devel")},
		{"an id that is none", "workloadRtId", func(w *hub.WorkloadDeployed) { w.WorkloadRtID = "x" }},
		{"a type that is none", "workloadType", func(w *hub.WorkloadDeployed) { w.WorkloadType = 9 }},
		{"no tenant", "tenantId is empty", func(w *hub.WorkloadDeployed) { w.TenantID = "" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := r.of(t)
			s := r.wantFailure(r.run(deployEvent(test.name, test.change)), test.name, test.want)
			if strings.Contains(s.StatusMessage, "planted-pw") {
				t.Errorf("the status holds the password: %s", s.StatusMessage)
			}
		})
	}
	if got := r.commands(); len(got) > 0 {
		t.Errorf("it ran %q", got)
	}
}

func TestAnEventThatCannotBeReadIsAnswered(t *testing.T) {
	r := newRig(t)
	e := hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: json.RawMessage(`{"tenantId":"acme","workloadName":"shop","workloadRtId":7}`)}
	r.wantFailure(r.run(e), "shop", "workloadRtId is a JSON number, not a string")
}

func TestACallbackThatIsNotKnownIsSaidToBe(t *testing.T) {
	r := newRig(t)
	err := r.life.Accept(hub.Event{Callback: "MoonDeployed", Argument: json.RawMessage(`{}`)}, nil)
	if err == nil || !strings.Contains(err.Error(), `callback "MoonDeployed" is not known`) {
		t.Errorf("got %v", err)
	}
}

func TestNoPlainSecretStaysOnDiskOrLeavesTheOperator(t *testing.T) {
	const key, brokerPassword, chartPassword = "planted-key", "planted-broker-password", "planted-chart-password"
	r := newRig(t, with("BROKERPASSWORD", brokerPassword))
	r.when("helm upgrade", func(c *call, usual func() int) int {
		c.say("it says %s aloud", key)
		if c.dry() {
			return usual()
		}
		return c.fail("%s is wrong", key)
	})
	s := r.wantFailure(r.run(deployEvent("shop", secret("secrets.key", key), func(w *hub.WorkloadDeployed) {
		w.RepositoryUsername, w.RepositoryPassword = "reader", chartPassword
	})), "shop", "is wrong")
	for _, secret := range []string{key, brokerPassword, chartPassword} {
		if strings.Contains(s.StatusMessage, secret) {
			t.Errorf("the status holds %s: %s", secret, s.StatusMessage)
		}
		for _, c := range append(r.called("helm"), r.called("kubectl")...) {
			if strings.Contains(strings.Join(append(c.args, c.env...), "\n"), secret) {
				t.Errorf("%s has %s on its command line or in its environment", c, secret)
			}
		}
		for _, file := range filesWith(t, filepath.Join(r.disk, "runs"), secret) {
			t.Errorf("%s is in %s", secret, file)
		}
	}
	if r.file("event.json") == "" || r.file("values.yaml") == "" || r.file("output.log") == "" {
		t.Error("the rest of the run is gone")
	}
}

func filesWith(t *testing.T, dir, text string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if strings.Contains(string(content), text) {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestARunCanBeRunAgainByHand(t *testing.T) {
	r := newRig(t)
	r.deploy("shop", override("image.tag", "2.0"))
	dirs := r.runDirs()
	before := len(r.called("helm upgrade"))
	r.must(r.shell(filepath.Join(dirs[0], "rerun")))
	if after := len(r.called("helm upgrade")); after != before+1 {
		t.Errorf("helm upgrade was called %d times more, want 1", after-before)
	}
	r.wantHistory("shop", "1 superseded, 2 deployed")
}

func TestAnEnvironmentsOwnScriptTakesTheStepsPlace(t *testing.T) {
	own := t.TempDir()
	text := "#!/bin/sh\necho \"Error: $OCTO_TENANT/$OCTO_WORKLOAD goes to $OCTO_RELEASE in $OCTO_NAMESPACE\" >&2\nexit 3\n"
	if err := os.WriteFile(filepath.Join(own, "workload-deploy"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, with("SCRIPTSDIR", own))
	result := r.run(deployEvent("shop"))
	r.wantFailure(result, "shop", "acme/shop goes to "+releaseName("shop")+" in octo")
	if result.ExitCode != 3 {
		t.Errorf("the exit code is %d", result.ExitCode)
	}
}

func TestWhatAChartMakesHelmPrintIsNeverTakenForACommand(t *testing.T) {
	own := t.TempDir()
	text := `#!/bin/sh
. "$OCTO_LIB"
run true "an argument
+ helm uninstall second-line"
printf '+ helm uninstall forged\n+x helm uninstall forged\rplain\n' >&2
`
	if err := os.WriteFile(filepath.Join(own, "workload-deploy"), []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	r := newRig(t, with("SCRIPTSDIR", own))
	r.run(deployEvent("shop"))
	var commands []string
	for _, record := range r.log.records("command") {
		commands = append(commands, fmt.Sprint(record["cmd"]))
	}
	all := strings.Join(commands, "\n")
	wantText(t, all, "true 'an argument")
	if strings.Contains(all, "uninstall") {
		t.Errorf("the log has commands that never ran:\n%s", all)
	}
	dir := r.runDirs()[0]
	output, err := os.ReadFile(filepath.Join(dir, "output.log"))
	r.must(err)
	wantText(t, string(output), " true 'an argument", "stderr + helm uninstall forged")
	env, err := os.ReadFile(filepath.Join(dir, "env"))
	r.must(err)
	if strings.Contains(string(env), "OCTO_ANNOUNCE") {
		t.Errorf("rerun would not begin commands with a plain plus:\n%s", env)
	}
}

func TestEachEndIsTold(t *testing.T) {
	r := newRig(t)
	r.deploy("shop")
	r.fails("helm uninstall", "Error: no")
	r.run(undeployEvent("shop"))
	if diff := cmp.Diff([]string{"WorkloadDeployed succeeded", "WorkloadUndeployed failed"}, r.ended()); diff != "" {
		t.Error(diff)
	}
}

// wantFailure waits for the status of a deploy that must have failed for these reasons.
func (r *rig) wantFailure(result runs.Result, workload string, reasons ...string) hub.WorkloadDeploymentStatus {
	r.Helper()
	s := r.status(workload)
	if result.Outcome != runs.Failed || s.Success {
		r.Errorf("it has %s, status %+v", result.Outcome, s)
	}
	wantText(r.T, s.StatusMessage, reasons...)
	return s
}
