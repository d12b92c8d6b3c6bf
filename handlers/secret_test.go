package handlers_test

import (
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/hub"
)

func secretName(workload string) string { return releaseName(workload) + "-octo-secrets" }

func secretObject(name string) string { return "/api/v1/namespaces/" + namespace + "/secrets/" + name }

// renderUsers makes two Deployments: web uses secrets.apiKey, worker secrets.dbPassword. image.web is web's alone.
func renderUsers(release, ns string, values object) []object {
	secrets, images := section(values, "secrets"), section(values, "image")
	one := renderDemo(release, ns, object{"image": object{"repository": "web", "tag": images["web"]}})[0]
	two := renderDemo(release, ns, object{"image": object{"repository": "worker", "tag": "1"}})[0]
	section(two, "metadata")["name"] = release + "-worker"
	useSecret(one, "API_KEY", secrets["apiKey"])
	useSecret(two, "DB_PASSWORD", secrets["dbPassword"])
	return []object{one, two}
}

// useSecret gives a workload's container a variable, where the values have one.
func useSecret(workload object, name string, reference any) {
	if reference == nil {
		return
	}
	spec := section(section(section(workload, "spec"), "template"), "spec")
	variable := maps.Clone(reference.(object))
	variable["name"] = name
	list(spec["containers"])[0].(object)["env"] = []any{variable}
}

// The two Deployments of renderUsers, as kubectl calls them.
var (
	web    = "deployment/" + releaseName("shop")
	worker = web + "-worker"
)

func users(r *rig) { r.render = renderUsers }

// keys are the secret overrides of most tests here.
func keys(apiKey, dbPassword string) func(*hub.WorkloadDeployed) {
	return func(w *hub.WorkloadDeployed) {
		secret("secrets.apiKey", apiKey)(w)
		secret("secrets.dbPassword", dbPassword)(w)
	}
}

// restarts are the workloads that were restarted so far, one entry for each command.
func (r *rig) restarts() (all []string) {
	for _, c := range r.called("kubectl rollout restart") {
		all = append(all, strings.Join(c.words[2:], " "))
	}
	return all
}

func (r *rig) wantRestarts(want ...string) {
	r.Helper()
	if diff := cmp.Diff(want, r.restarts()); diff != "" {
		r.Errorf("restarts: %s", diff)
	}
}

// wantSecret compares the release's Secret; nil: there is to be none.
func (r *rig) wantSecret(workload string, want map[string]string) {
	r.Helper()
	if diff := cmp.Diff(want, r.cluster.secret(namespace, secretName(workload))); diff != "" {
		r.Errorf("the Secret: %s", diff)
	}
}

// wantSettled checks that nothing is left of a change of the Secret.
func (r *rig) wantSettled(workload string) {
	r.Helper()
	if o := r.cluster.get(secretObject(secretName(workload))); o != nil {
		annotations := section(section(o, "metadata"), "annotations")
		if len(annotations) != 2 || annotations[group+"/workload-name"] != workload || annotations[group+"/tenant-id"] != tenant {
			r.Errorf("the Secret has the annotations %v", annotations)
		}
	}
	for _, path := range r.cluster.paths(secretObject(releaseName(workload))) {
		if path != secretObject(secretName(workload)) {
			r.Errorf("%s is left", path)
		}
	}
}

func TestASecretThatIsAsItShouldBeIsNotWrittenAndRestartsNothing(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"))
	before := len(r.commands())
	r.deploy("shop", keys("key-1", "password-1"))
	want := []string{
		"helm template " + releaseName("shop") + " chart.tgz (dry run)", "octo-operator look manifest.yaml", "kubectl apply manifest.yaml (dry run)",
		"helm upgrade " + releaseName("shop") + " chart.tgz",
	}
	got := r.commands()[before:]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("commands: %s", diff)
	}
	r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-1"})
	r.wantSettled("shop")
}

func TestARotatedKeyRestartsExactlyItsUsersAndTheStatusSaysSo(t *testing.T) {
	t.Parallel()
	for _, helm := range []string{"v4.3.1", "v3.20.0"} {
		t.Run(helm, func(t *testing.T) {
			r := newRig(t, users, func(r *rig) { r.helmVersion = helm })
			r.deploy("shop", keys("key-1", "password-1"))
			r.status("shop")
			r.deploy("shop", keys("planted-key-2", "password-1"))
			r.wantRestarts(web)
			r.wantSecret("shop", map[string]string{"secrets.apiKey": "planted-key-2", "secrets.dbPassword": "password-1"})
			r.wantSettled("shop")
			s := r.status("shop")
			if !s.Success {
				t.Errorf("status: %+v", s)
			}
			wantText(t, s.StatusMessage, web, "secrets.apiKey")
			if strings.Contains(s.StatusMessage, "worker") || strings.Contains(s.StatusMessage, "dbPassword") {
				t.Errorf("the status names what has not changed: %s", s.StatusMessage)
			}
			if found := r.log.records("workloads restarted: secrets that they use have changed", "workloads", web, "keys", "secrets.apiKey", "level", "INFO"); len(found) != 1 {
				t.Errorf("%d records of it", len(found))
			}
			if strings.Contains(r.log.String(), "planted-key-2") {
				t.Error("the log has the value")
			}
			wantText(t, r.file("rerun"), "workload-deploy") // a person wants the deploy again, not the restart
			r.deploy("shop", keys("planted-key-2", "password-1"))
			r.wantRestarts(web)
		})
	}
}

func TestEachKindOfWorkloadIsRestartedForEachKindOfUse(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.render = func(release, ns string, _ object) []object {
			var all []object
			for kind, use := range map[string]object{
				"StatefulSet": {"volumes": []any{object{"name": "all", "secret": object{"secretName": release + "-octo-secrets"}}}},
				"DaemonSet":   {"initContainers": []any{object{"name": "init", "envFrom": []any{object{"secretRef": object{"name": release + "-octo-secrets"}}}}}},
				"Deployment":  {"volumes": []any{object{"name": "other", "secret": object{"secretName": "other"}}}},
			} {
				o := renderDemo(release, ns, object{"replicaCount": 1})[0]
				o["kind"], section(o, "metadata")["name"] = kind, "it"
				maps.Copy(section(section(section(o, "spec"), "template"), "spec"), use)
				all = append(all, o)
			}
			return all
		}
	})
	r.deploy("shop", keys("key-1", "password-1"))
	r.deploy("shop", keys("key-2", "password-1"))
	r.wantRestarts("daemonset/it statefulset/it")
}

func TestWhatTheRoleMayNotLookAtIsNotRestarted(t *testing.T) {
	r := newRig(t, users, func(r *rig) {
		r.render = func(release, ns string, values object) []object {
			set := renderUsers(release, ns, values)[0]
			set["kind"] = "DaemonSet"
			return append(renderUsers(release, ns, values), set)
		}
	})
	r.cluster.setRefuse(func(verb, path string) *status {
		if verb == http.MethodGet && strings.Contains(path, "/daemonsets/") {
			return &status{403, "Forbidden", "no"}
		}
		return nil
	})
	r.deploy("shop", keys("key-1", "password-1"))
	r.deploy("shop", keys("key-2", "password-1"))
	r.wantRestarts(web)
}

func TestWhatGetsNewPodsAnywayIsNotRestarted(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"), override("image.web", "1"))
	r.deploy("shop", keys("key-2", "password-2"), override("image.web", "2"))
	r.wantRestarts(worker)
}

// demoUsesKey lets the Deployment of chart demo use the key secrets.apiKey of the release's Secret.
func demoUsesKey(r *rig) {
	r.render = func(release, ns string, values object) []object {
		o := renderDemo(release, ns, values)
		useSecret(o[0], "API_KEY", section(values, "secrets")["apiKey"])
		return o
	}
}

func TestWhatHasNoPodsIsNotRestarted(t *testing.T) {
	r := newRig(t, demoUsesKey)
	r.deploy("shop", secret("secrets.apiKey", "1"), hibernated)
	r.deploy("shop", secret("secrets.apiKey", "2"), hibernated)
	r.wantRestarts()
	r.wantSettled("shop")
}

func TestWhatWakesUpWithAChangedSecretIsNotRestartedBesides(t *testing.T) {
	r := newRig(t, demoUsesKey)
	r.deploy("shop", secret("secrets.apiKey", "1"), hibernated)
	r.deploy("shop", secret("secrets.apiKey", "2"), override("replicaCount", "2"))
	r.wantRestarts()
	r.wantSettled("shop")
}

func TestWhatOnlyAPersonMayRestartIsNamed(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.render = func(release, ns string, values object) []object {
			all := renderUsers(release, ns, values)
			section(all[0], "spec")["paused"] = true
			return all
		}
	})
	r.deploy("shop", keys("key-1", "password-1"))
	r.status("shop")
	r.deploy("shop", keys("key-2", "password-2"))
	r.wantRestarts(worker)
	wantText(t, r.status("shop").StatusMessage, web, "old")
}

func TestTheSecretHoldsExactlyWhatTheDeploySays(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"))
	_, s := r.cluster.request("PATCH", secretObject(secretName("shop"))+"?fieldManager=kubectl-edit", "application/merge-patch+json",
		object{"data": object{"byHand": "eA=="}})
	if s != nil {
		t.Fatal(s.message)
	}
	r.deploy("shop", secret("secrets.apiKey", "key-1"))
	r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1"})
	r.wantRestarts()
	r.wantSettled("shop")
}

func TestASecretThatNobodyNeedsAnyMoreGoesOnceThePodsAreReady(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"))
	r.when("helm upgrade", func(_ *call, usual func() int) int {
		code := usual()
		r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-1"})
		return code
	})
	r.deploy("shop")
	r.wantSecret("shop", nil)
	if found := r.log.records("secret deleted: the deploy has no secret override", "secret", secretName("shop")); len(found) != 1 {
		t.Errorf("%d records of it", len(found))
	}
}

func TestAnotherOwnersSecretIsLeftAlone(t *testing.T) {
	t.Parallel()
	for name, labels := range map[string]object{
		"another tenant's":          {group + "/tenant": "other"},
		"another workload's":        {group + "/tenant": tenant, group + "/workload-rt-id": rtID("other")},
		"somebody else's, kept too": nil,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.cluster.put(object{
				"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": secretName("shop"), "namespace": namespace, "labels": labels},
				"data": object{"theirs": "eA=="},
			})
			r.deploy("shop") // needs none
			r.status("shop")
			r.wantSecret("shop", map[string]string{"theirs": "x"})
			if labels != nil {
				r.wantFailure(r.run(deployEvent("shop", keys("key-1", "password-1"))), "shop", secretName("shop"), "another workload")
				r.wantSecret("shop", map[string]string{"theirs": "x"})
			}
		})
	}
}

func TestAReconciliationBringsARotatedSecretToItsUsersAndElseDoesNothing(t *testing.T) {
	r := newRig(t, users)
	r.deploy("shop", keys("key-1", "password-1"))
	before := len(r.commands())
	r.deploy("shop", keys("key-1", "password-1"), resent)
	got := r.commands()[before:]
	if len(got) > 0 {
		t.Errorf("nothing has changed, and it ran %q", got)
	}
	r.deploy("shop", keys("key-1", "password-2"), resent)
	r.wantRestarts(worker)
	r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-1", "secrets.dbPassword": "password-2"})
}

// comeBack are the two ways in which an operator comes back after it was killed.
var comeBack = map[string]func(*rig){"on the same disk": (*rig).restart, "on another disk": (*rig).freshDisk}

// hangIn lets the first command with these words hang until it is killed, before or after it has done its work. wait returns when
// it does.
func (r *rig) hangIn(pattern string, after bool) (wait func()) {
	reached := make(chan struct{})
	var once sync.Once
	r.when(pattern, func(c *call, usual func() int) int {
		code, hangs := 0, false
		if after || c.dry() {
			code = usual()
		}
		if c.dry() {
			return code
		}
		once.Do(func() { hangs = true })
		if hangs {
			close(reached)
			<-c.gone
			return killed
		}
		if !after {
			return usual()
		}
		return code
	})
	return func() {
		r.Helper()
		select {
		case <-reached:
		case <-time.After(patience):
			r.Fatalf("%s does not begin", pattern)
		}
	}
}

func TestARestartThatAKilledOperatorOwesIsDoneOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, pattern string
		after         bool
		want          []string // the one that was killed before it did anything among them
	}{
		{"once the Secret was written", "kubectl apply", true, []string{web}},
		{"before helm", "helm upgrade", false, []string{web}},
		{"after helm", "helm upgrade", true, []string{web}},
		{"before the restart", "kubectl rollout restart", false, []string{web, web}},
		{"after the restart", "kubectl rollout restart", true, []string{web}},
	} {
		for life, again := range comeBack {
			t.Run(test.name+" "+life, func(t *testing.T) {
				r := newRig(t, users)
				r.deploy("shop", keys("key-1", "password-1"))
				r.status("shop")
				wait := r.hangIn(test.pattern, test.after)
				r.accept(deployEvent("shop", keys("key-2", "password-1")))
				wait()
				again(r)
				r.wantSuccess("shop")
				r.wantRestarts(test.want...)
				r.wantSecret("shop", map[string]string{"secrets.apiKey": "key-2", "secrets.dbPassword": "password-1"})
				r.wantSettled("shop")
			})
		}
	}
}
