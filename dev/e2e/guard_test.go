package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// chartOfSecrets uses Secrets in common ways: a password that is generated once and looked up later, one that only hooks use, and hooks
// that run after helm has waited for all pods.
const chartOfSecrets = `
{{- $name := printf "%s-made" .Release.Name }}
{{- $old := lookup "v1" "Secret" .Release.Namespace $name }}
apiVersion: v1
kind: Secret
metadata: {name: {{ $name }}}
data: {password: {{ if $old }}{{ $old.data.password }}{{ else }}{{ randAlphaNum 20 | b64enc }}{{ end }}}
---
apiVersion: v1
kind: Secret
metadata: {name: {{ .Release.Name }}-hook, annotations: {helm.sh/hook: "pre-install,pre-upgrade"}}
stringData: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-after, annotations: {helm.sh/hook: "post-install,post-upgrade", helm.sh/hook-delete-policy: "before-hook-creation,hook-succeeded"}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: {{ .Release.Name }}-absent}
data: {found: '{{ lookup "v1" "Secret" .Release.Namespace "there-is-no-such-secret" | len }}', services: '{{ (lookup "v1" "Service" .Release.Namespace "").items | len }}'}
`

func TestAChartReadsItsOwnSecretsAndNoOthers(t *testing.T) {
	withEachHelm(t, func(t *testing.T, w *world) {
		victim := w.workload("Till", "77777777b420da3fb1238177")
		victim.Values = secret("planted")
		if s := w.deploy(victim); !s.Success {
			t.Fatal(s.StatusMessage)
		}
		w.kubectl("create", "secret", "generic", "by-hand", "--from-literal=a=planted")

		app := w.workload("Shop", appRtID)
		app.RepositoryURL, app.ChartName, app.ChartVersion = w.ownChart(chartOfSecrets), "mine", "1.0.0"
		made := ""
		for range 2 {
			if s := w.deploy(app); !s.Success {
				t.Fatal(s.StatusMessage)
			}
			password := w.secretData("acme-" + appRtID + "-made")
			if made != "" && password != made {
				t.Errorf("the chart has made another password: %s, %s", made, password)
			}
			made = password
		}
		for name, template := range map[string]string{
			"by its name":     `(lookup "v1" "Secret" .Release.Namespace "acme-77777777b420da3fb1238177-octo-secrets").data`,
			"Helm's revision": `(lookup "v1" "Secret" .Release.Namespace "sh.helm.release.v1.acme-77777777b420da3fb1238177.v1").data`,
			"nobody's":        `(lookup "v1" "Secret" .Release.Namespace "by-hand").data`,
			"all":             `(lookup "v1" "Secret" .Release.Namespace "").items`,
			"everywhere":      `(lookup "v1" "Secret" "" "").items`,
		} {
			app.RepositoryURL = w.ownChart("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: loot}\ndata: {loot: {{ " + template + " | toJson | quote }}}\n")
			s := w.deploy(app)
			if s.Success || !strings.Contains(s.StatusMessage, "is forbidden: octo-operator: ") {
				t.Errorf("%s: %+v", name, s)
			}
		}
		if out, err := w.try("", "get", "configmap", "loot", "-o", "json"); err == nil {
			t.Errorf("there is loot: %s", out)
		}
		w.undeploy(app)
		w.undeploy(victim)
	})
}

func TestAHookDeletesAndChangesNothingOfAnotherRelease(t *testing.T) {
	const victims = "acme-77777777b420da3fb1238177"
	withEachHelm(t, func(t *testing.T, w *world) {
		if s := w.deploy(w.workload("Till", "77777777b420da3fb1238177")); !s.Success {
			t.Fatal(s.StatusMessage)
		}
		before := w.kubectl("get", "configmap", victims, "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion} {.data}")
		app := w.workload("Shop", appRtID)
		app.ChartName, app.ChartVersion = "mine", "1.0.0"
		for _, policy := range []string{"before-hook-creation", "hook-succeeded", "hook-failed"} {
			app.RepositoryURL = w.ownChart(fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s, annotations: {helm.sh/hook: pre-install, helm.sh/hook-delete-policy: %s}}\ndata: {a: stolen}\n", victims, policy))
			if s := w.deploy(app); s.Success || !strings.Contains(s.StatusMessage, victims) {
				t.Errorf("%s: %+v", policy, s)
			}
			if after := w.kubectl("get", "configmap", victims, "-o", "jsonpath={.metadata.uid} {.metadata.resourceVersion} {.data}"); after != before {
				t.Errorf("%s: it was %s and is %s", policy, before, after)
			}
		}
	})
}

func TestTheKubeconfigOfARunEndsWithItAndIsInNoCommand(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.ValuesYaml = "settings: {LOOK: lookup}" // with this word in the values, all steps of the deploy are guarded
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	w.waitUntilSettled()
	left, err := filepath.Glob(filepath.Join(w.stateDir, "runs", "*", "kubeconfig"))
	if w.must(err); len(left) > 0 {
		t.Errorf("there are %s", left)
	}
	envs, err := filepath.Glob(filepath.Join(w.stateDir, "runs", "*", "env"))
	w.must(err)
	text := w.operator.text()
	for _, file := range envs {
		env, err := os.ReadFile(file)
		w.must(err)
		text += string(env)
	}
	if !regexp.MustCompile(`OCTO_LOOKS_UP='?true`).MatchString(text) {
		t.Errorf("the whole deploy was to be guarded: %s", text)
	}
	if len(envs) == 0 || strings.Contains(text, "api-server") || strings.Contains(text, "proxy-url") || regexp.MustCompile(`runs/[^/ ]*/kubeconfig`).MatchString(text) || strings.Contains(text, "OCTO_KUBECONFIG") {
		t.Errorf("what a person runs again goes through the guard: %s", text)
	}
}
