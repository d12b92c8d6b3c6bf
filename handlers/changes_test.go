package handlers_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"octo-operator/handlers/release"
)

// wantChanges compares the beginning of changes.diff of the newest run, its summary.
func (r *rig) wantChanges(summary string) string {
	r.Helper()
	kept := r.file(release.ChangesFile)
	if line, _, _ := strings.Cut(kept, "\n"); line != summary {
		r.Errorf("%s begins with %q, want %q", release.ChangesFile, line, summary)
	}
	return kept
}

// comparesFirst lets helm wait until the objects are compared, as the guard does, through which the simulated helm does not go.
func comparesFirst(r *rig) {
	upgrades := 0
	r.when("helm upgrade", func(_ *call, usual func() int) int {
		upgrades++
		r.eventually("the objects are compared", func() bool {
			return len(r.log.records("objects compared"))+len(r.log.records("objects not compared")) >= upgrades
		})
		return usual()
	})
}

func TestEachDeployLeavesWhatItChanges(t *testing.T) {
	r := newRig(t, comparesFirst)
	r.deploy("shop")
	r.wantChanges("1 object new: Deployment")
	r.succeed(r.run(deployEvent("shop")))
	r.wantChanges("nothing changed")
	r.succeed(r.run(deployEvent("shop", override("image.tag", "2.0"), secret("secrets.key", "planted-1"))))
	kept := r.wantChanges("1 object changed: Deployment image 1.0→2.0; 1 object new: Secret")
	wantText(t, kept, "secrets.key: '[hidden]'", "-        - image: demo/app:1.0\n", "+        - image: demo/app:2.0\n")
	r.succeed(r.run(deployEvent("shop", override("image.tag", "2.0"), secret("secrets.key", "planted-1"), resent)))
	r.wantChanges("nothing changed")
	r.succeed(r.run(deployEvent("shop", override("image.tag", "2.0"))))
	r.wantChanges("1 object removed: Secret")
	for _, summary := range []string{
		"1 object new: Deployment", "nothing changed", "1 object changed: Deployment image 1.0→2.0; 1 object new: Secret", "1 object removed: Secret",
	} {
		if len(r.log.records("event done", "changes", summary)) == 0 {
			t.Errorf("no event done with changes=%q", summary)
		}
	}
}

func TestWhatADeployChangesIsToldWithoutWhatIsSecret(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(r *rig)
		summary string
	}{
		"of a deploy":             {func(*rig) {}, "4 objects new: Secret acme-8d9001d32c6a703d95921a77-octo-secrets, Deployment, Secret acme-8d9001d32c6a703d95921a77-own, ConfigMap"},
		"of a deploy that failed": {func(r *rig) { r.fails("helm upgrade", "Error: no") }, "4 objects new: Secret acme-8d9001d32c6a703d95921a77-octo-secrets, Deployment, Secret acme-8d9001d32c6a703d95921a77-own, ConfigMap"},
		"of a refused one":        {func(r *rig) { r.fails("kubectl apply", "Error: denied") }, "4 objects new: Secret acme-8d9001d32c6a703d95921a77-octo-secrets, Deployment, Secret acme-8d9001d32c6a703d95921a77-own, ConfigMap"},
		"of one that never began": {func(r *rig) { r.fails("helm template", "Error: no planted-override") }, "not known: the chart was not rendered"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, withSecret, comparesFirst)
			test.prepare(r)
			r.run(deployEvent("shop", override("note", "planted-override"), secret("secrets.key", "planted-override")))
			if kept := r.wantChanges(test.summary); strings.Contains(kept, "planted") {
				t.Errorf("there is a secret in it:\n%s", kept)
			}
		})
	}
}

// TestAValueOfASecretThatCannotBeComparedIsKeptOutOfOtherObjects: of the release's Secret the API server says nothing, but its reason quotes it.
func TestAValueOfASecretThatCannotBeComparedIsKeptOutOfOtherObjects(t *testing.T) {
	r := newRig(t, withSecret, comparesFirst)
	r.cluster.setRefuse(func(verb, path string) *status {
		if verb == http.MethodGet && strings.HasSuffix(path, "-own") {
			return &status{http.StatusForbidden, "Forbidden", `a webhook denies "planted-by-the-chart"`}
		}
		return nil
	})
	r.run(deployEvent("shop"))
	kept := r.wantChanges("2 objects new: Deployment, ConfigMap; 1 object not compared: Secret")
	wantText(t, kept, "url: https://user:[redacted]@host", `a webhook denies "[redacted]"`)
	if strings.Contains(kept, "planted") {
		t.Errorf("there is a secret in it:\n%s", kept)
	}
}

// TestAValueOfAHooksSecretIsKeptOutOfOtherObjects: of the hook that the new revision has, and of that which the one before had.
func TestAValueOfAHooksSecretIsKeptOutOfOtherObjects(t *testing.T) {
	r := newRig(t, withHookSecret, comparesFirst)
	for _, test := range []struct{ tag, summary, line string }{
		{"1.0", "2 objects new: Deployment, ConfigMap", "+  url: https://user:[redacted]@host\n"},
		{"2.0", "2 objects changed: Deployment image 1.0→2.0, ConfigMap 1 key", "-  url: https://user:[redacted]@host\n+  url: https://user:[redacted]@host\n"},
	} {
		event := deployEvent("shop", override("image.tag", test.tag))
		p := r.plan(event)
		if p.Summary != test.summary || strings.Contains(fmt.Sprint(p), "planted") || !strings.Contains(p.Diff, test.line) {
			t.Errorf("the plan is %+v", p)
		}
		r.succeed(r.run(event))
		kept := r.wantChanges(test.summary)
		wantText(t, kept, test.line)
		if strings.Contains(kept, "planted") {
			t.Errorf("there is a secret in it:\n%s", kept)
		}
	}
}

func TestAShortValueOfASecretIsKeptOutOfOtherObjects(t *testing.T) {
	r := newRig(t, comparesFirst, func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			metadata := func(name string) object { return object{"name": name, "namespace": namespace} }
			return append(usual(release, namespace, values),
				object{"apiVersion": "v1", "kind": "Secret", "metadata": metadata(release + "-own"), "stringData": object{"pin": "x7q", "password": "s3cr3t"}},
				object{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(release), "data": object{"pin": "x7q", "ini": "[db]\npassword = s3cr3t\nhost = db\n"}})
		}
	})
	event := deployEvent("shop")
	plan := r.plan(event)
	r.succeed(r.run(event))
	for from, kept := range map[string]string{"changes.diff": r.file(release.ChangesFile), "the plan": plan.Diff, "manifest.yaml": r.file("manifest.yaml")} {
		if strings.Contains(kept, "x7q") || strings.Contains(kept, "s3cr3t") || !strings.Contains(kept, "password = [redacted]\n") || !strings.Contains(kept, "host = db\n") {
			t.Errorf("%s:\n%s", from, kept)
		}
	}
}

func TestADeployGoesOnWhereNobodyCanTellWhatItChanges(t *testing.T) {
	t.Parallel()
	asked := func(verb, path string) bool { // kubectl does not force here
		return verb == http.MethodPatch && strings.HasSuffix(path, "?dryRun=All&fieldManager=helm&force=true")
	}
	for name, test := range map[string]struct {
		answer  status
		changes string
	}{
		"the API server is away":      {status{http.StatusServiceUnavailable, "ServiceUnavailable", "etcdserver: no leader"}, "not known: cannot reach the API server: etcdserver: no leader"},
		"a permission lacks":          {status{http.StatusForbidden, "Forbidden", "deployments.apps is forbidden"}, "1 object not compared: Deployment"},
		"a webhook knows no dry runs": {status{http.StatusBadRequest, "BadRequest", "webhook does not support dry run"}, "1 object not compared: Deployment"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, comparesFirst)
			r.deploy("shop")
			r.cluster.setRefuse(func(verb, path string) *status {
				if asked(verb, path) {
					return &test.answer
				}
				return nil
			})
			r.succeed(r.run(deployEvent("shop", override("image.tag", "2.0"))))
			r.wantImage("shop", "demo/app:2.0")
			if kept := r.wantChanges(test.changes); !strings.Contains(kept, test.answer.message) {
				t.Errorf("it does not say why:\n%s", kept)
			}
		})
	}
}

func TestHelmWaitsOnlySoLongForTheComparison(t *testing.T) {
	r := newRig(t, withSecret)
	r.deploy("shop")
	asked, answer := make(chan struct{}), make(chan struct{})
	r.cluster.setRefuse(func(verb, path string) *status {
		if verb == http.MethodPatch && strings.Contains(path, "/deployments/") && strings.HasSuffix(path, "?dryRun=All&fieldManager=helm&force=true") {
			close(asked)
			<-answer
		}
		return nil
	})
	r.succeed(r.run(deployEvent("shop", override("image.tag", "2.0"))))
	close(answer)
	<-asked
	kept := r.wantChanges("1 object not compared: Deployment")
	wantText(t, kept, "not compared: the API server did not answer about all objects within 2s, and helm was not to wait longer")
}

// helm refuses to take it. What a diff, or the number of its keys, told of it would be a way to guess its values.
func TestOfAnObjectThatIsAnotherReleasesNothingIsTold(t *testing.T) {
	for name, annotations := range map[string]object{
		"another release's": {"meta.helm.sh/release-name": "other", "meta.helm.sh/release-namespace": namespace},
		"nobody's":          {},
	} {
		t.Run(name, func(t *testing.T) {
			kinds := func(values object, owners object) []object {
				metadata := object{"name": "victim", "namespace": namespace, "annotations": owners}
				return []object{
					{"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": values},
					{"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": values},
				}
			}
			r := newRig(t, func(r *rig) {
				usual := r.render
				r.render = func(release, namespace string, values object) []object {
					return append(usual(release, namespace, values), kinds(object{"key": "Z3Vlc3M="}, object{})...)
				}
			})
			for _, o := range kinds(object{"key": "cGxhbnRlZA==", "other": "cGxhbnRlZA=="}, annotations) {
				r.cluster.put(o)
			}
			r.when("helm upgrade", func(c *call, _ func() int) int {
				r.eventually("the objects are compared", func() bool { return len(r.log.records("objects compared")) > 0 })
				return c.fail("Error: invalid ownership metadata")
			})
			r.run(deployEvent("shop"))
			kept := r.wantChanges("1 object new: Deployment; 2 objects not compared: Secret, ConfigMap")
			if strings.Contains(kept, "cGxhbnRlZA") || strings.Contains(kept, "key") || !strings.Contains(kept, "victim is in the cluster already") {
				t.Errorf("it tells\n%s", kept)
			}
		})
	}
}

// The first try has made the Secret when the API server is away. The next one finds that it is there.
func TestWhatADeployChangesIsToldAsItWasBeforeItsFirstTry(t *testing.T) {
	tries := 0
	r := newRig(t)
	r.deploy("shop")
	r.when("helm upgrade", func(c *call, usual func() int) int {
		tries++
		r.eventually("the objects are compared", func() bool { return len(r.log.records("objects compared")) >= 2 })
		if tries > 1 {
			return usual()
		}
		return c.fail("Error: Kubernetes cluster unreachable: " + refused)
	})
	r.succeed(r.run(deployEvent("shop", override("image.tag", "2.0"), secret("secrets.key", "planted-1"))))
	const want = "1 object changed: Deployment image 1.0→2.0; 1 object new: Secret"
	r.wantChanges(want)
	if tries != 2 || len(r.log.records("event done", "changes", want)) != 1 {
		t.Errorf("after %d tries the log says %v", tries, r.log.records("event done"))
	}
}
