package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/devcontroller"
)

// templates counts the pod templates that each workload of the chart secret-users has had so far: a controller keeps one object for each.
func (w *world) templates(release string) map[string]int {
	w.Helper()
	count := map[string]int{}
	for _, name := range []string{"web", "worker", "db"} {
		kept := w.kubectl("get", "replicasets,controllerrevisions", "--output", "name", "--selector", "app="+release+"-"+name)
		count[name] = len(strings.Fields(kept))
	}
	return count
}

// wantTemplates compares the templates, and checks that the pods of each workload are of its newest one. After a failure it does not wait
// for the controllers.
func (w *world) wantTemplates(release string, want map[string]int) {
	w.Helper()
	diff := ""
	if !w.eventually(func() bool { diff = cmp.Diff(want, w.templates(release)); return diff == "" }) {
		w.Errorf("pod templates so far (-want +got):\n%s", diff)
	}
	for _, name := range []string{"web", "worker"} {
		replaced := func() bool {
			current := w.kubectl("get", "replicasets", "--selector", "app="+release+"-"+name, "--output",
				`jsonpath={range .items[?(@.spec.replicas==1)]}{.metadata.labels.pod-template-hash}{"\n"}{end}`)
			pods := w.kubectl("get", "pods", "--selector", "app="+release+"-"+name, "--output",
				`jsonpath={range .items[*]}{.metadata.labels.pod-template-hash}{"\n"}{end}`)
			return current == pods && strings.Count(pods, "\n") == 1
		}
		if !w.eventually(replaced) {
			w.Errorf("%s has other pods than those of its newest template", name)
		}
	}
}

func (w *world) wantSecretData(name, want string) {
	w.Helper()
	got := w.kubectl("get", "secret", name, "--output", `go-template={{range $key, $value := .data}}{{$key}}={{$value | base64decode}} {{end}}{{.metadata.annotations}}`)
	if want += " map[octo-mesh.meshmakers.io/tenant-id:acme octo-mesh.meshmakers.io/workload-name:Shop]"; got != want {
		w.Errorf("the Secret has %q, want %q", got, want)
	}
	if left := w.kubectl("get", "secret", name+"-before", "--ignore-not-found", "--output", "name"); left != "" {
		w.Errorf("%s is left", left)
	}
}

func TestARotatedSecretReachesExactlyThePodsThatUseIt(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"4", "3"} {
		t.Run("helm "+helm, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.env = []string{"OPERATOR__BROKERUSER=", "OPERATOR__BROKERPASSWORD=", "OPERATOR__HELM__TIMEOUT=30s"}
			w.withHelm(helm)
			w.start()
			w.deployPool()
			release, secretName := "acme-"+appRtID, "acme-"+appRtID+"-octo-secrets"
			app := w.workload("Shop", appRtID)
			app.ChartName, app.ChartVersion = "secret-users", "1.0.0"
			deploy := func(apiKey, dbPassword string) status {
				app.Values = []devcontroller.Override{
					{Path: "secrets.apiKey", Value: apiKey, IsSecret: true}, {Path: "secrets.dbPassword", Value: dbPassword, IsSecret: true},
				}
				return w.deploy(app)
			}
			succeed := func(s status, restarted ...string) {
				t.Helper()
				if !s.Success {
					t.Fatal(s.StatusMessage)
				}
				for _, name := range []string{"deployment/" + release + "-web", "deployment/" + release + "-worker", "statefulset/" + release + "-db"} {
					if want := strings.Contains(fmt.Sprint(restarted), name); strings.Contains(s.StatusMessage, name) != want {
						t.Errorf("that %s was restarted is %v; status: %s", name, want, s.StatusMessage)
					}
				}
			}

			succeed(deploy("key-1", "password-1"))
			w.wantTemplates(release, map[string]int{"web": 1, "worker": 1, "db": 1})

			succeed(deploy("key-1", "password-1"))
			w.wantTemplates(release, map[string]int{"web": 1, "worker": 1, "db": 1})

			succeed(deploy("key-2", "password-1"), "deployment/"+release+"-web")
			w.wantTemplates(release, map[string]int{"web": 2, "worker": 1, "db": 1})
			w.wantSecretData(secretName, "secrets.apiKey=key-2 secrets.dbPassword=password-1")

			w.kubectl("patch", "secret", secretName, "--type=merge", "--patch", `{"stringData":{"byHand":"x"}}`)
			succeed(deploy("key-2", "password-2"), "statefulset/"+release+"-db")
			w.wantTemplates(release, map[string]int{"web": 2, "worker": 1, "db": 2})
			w.wantSecretData(secretName, "secrets.apiKey=key-2 secrets.dbPassword=password-2")

			// The annotation of a restart does not belong to helm, so the next upgrade keeps it.
			succeed(deploy("key-2", "password-2"))
			w.wantTemplates(release, map[string]int{"web": 2, "worker": 1, "db": 2})

			// web is restarted by the deploy that fails, and by the rollback.
			app.ValuesYaml = "image: registry.example/does-not-exist:1"
			if s := deploy("key-3", "password-2"); s.Success || !strings.Contains(s.StatusMessage, "rolled back") {
				t.Errorf("reported %+v", s)
			}
			app.ValuesYaml = ""
			w.wantTemplates(release, map[string]int{"web": 4, "worker": 2, "db": 2})
			w.wantSecretData(secretName, "secrets.apiKey=key-2 secrets.dbPassword=password-2")

			app.Values = nil
			succeed(w.deploy(app))
			if left := w.kubectl("get", "secrets", "--output", "name", "--field-selector", "type=Opaque"); left != "" {
				t.Errorf("without a secret override there is still: %s", left)
			}
		})
	}
}
