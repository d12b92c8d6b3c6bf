package handlers_test

import (
	"testing"
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
