package handlers_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/bounds"
	"octo-operator/handlers"
)

// theft is what a malicious chart makes besides: a pod with another release's secret.
func theft(release string) object {
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": release + "-thief"},
		"spec": object{"containers": []any{object{"name": "a", "envFrom": []any{object{"secretRef": object{"name": "victim-octo-secrets"}}}}}}}
}

var theftRefused = "the manifest is refused: Pod " + releaseName("shop") + "-thief names the Secret victim-octo-secrets, which is another release's or pool's: " +
	"take it out of the chart or the values"

func TestAChartThatTouchesAnotherReleaseIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	r := newRig(t, func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			return append(usual(release, namespace, values), theft(release))
		}
	})
	message := r.run(deployEvent("shop", secret("secrets.key", "planted"))).Reason
	if message != theftRefused {
		t.Errorf("the controller is told %q", message)
	}
	if len(r.called("kubectl apply"))+len(r.called("helm upgrade")) > 0 {
		t.Errorf("something was touched: %q", r.commands())
	}
}

// A template knows when it is rendered for the second time: by a look-up, the time, or the number of the revision.
func TestAChartThatBecomesHostileAfterItWasLookedAtIsRefusedByTheLookOfHelmItself(t *testing.T) {
	times := 0
	r := newRig(t, func(r *rig) {
		usual := r.render
		r.render = func(release, namespace string, values object) []object {
			times++
			if times == 1 {
				return usual(release, namespace, values)
			}
			return append(usual(release, namespace, values), theft(release))
		}
	})
	message := r.run(deployEvent("shop", secret("secrets.key", "planted"))).Reason
	if first, _, _ := strings.Cut(message, "\n"); first != theftRefused {
		t.Errorf("the controller is told %q", message)
	}
	if all := r.cluster.revisions(namespace, releaseName("shop")); len(all) > 0 {
		t.Errorf("there is a release: %v", all)
	}
	if r.cluster.get("/api/v1/namespaces/"+namespace+"/secrets/"+releaseName("shop")+"-octo-secrets") != nil {
		t.Error("its secret is left")
	}
}

func TestTheLookHandsOnWhatHelmGivesIt(t *testing.T) {
	for _, test := range []struct{ name, manifest, want string }{
		{"a manifest", "kind: ConfigMap\nmetadata: {name: a}\n", "kind: ConfigMap\nmetadata: {name: a}\n"},
		{"a chart that makes nothing, which helm must not take for a failure", " \n", "# nothing\n"},
	} {
		var out bytes.Buffer
		if err := handlers.Look([]string{"OCTO_RELEASE=shop", "OCTO_NAMESPACE=octo"}, "", strings.NewReader(test.manifest), &out); err != nil || out.String() != test.want {
			t.Errorf("%s: got %v, %q", test.name, err, out.String())
		}
	}
}

func TestTheLookRefusesWhatIsTooLongToRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "manifest.yaml")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 1<<30); err != nil {
		t.Fatal(err)
	}
	zeros, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer zeros.Close()
	run := []string{"OCTO_RELEASE=shop", "OCTO_NAMESPACE=octo"}
	if err := handlers.Look(run, file, nil, nil); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("has more than %d bytes", bounds.Manifest)) {
		t.Errorf("got %v", err)
	}
	if err := handlers.Look(run, "", zeros, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("more than %d", bounds.Manifest)) {
		t.Errorf("got %v", err)
	}
}
