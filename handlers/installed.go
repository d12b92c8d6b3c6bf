package handlers

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"octo-operator/hub"
	"octo-operator/kube"
)

// installed is what the cluster has under a release's name.
type installed struct {
	labels   map[string]string // of the newest revision; nil: there is no such release
	replicas []kube.DeploymentReplicas
	secret   *kube.Secret // with its secret values; nil: there is none
	// byHand: somebody else has made the newest revision, with the labels that helm hands down from the one before.
	byHand bool
}

// lookUp asks the cluster, in the background: it takes as long as getting the chart does.
func (h *Handlers) lookUp(ctx context.Context, r release) (wait func() (installed, error)) {
	type answer struct {
		revisions []map[string]string
		replicas  []kube.DeploymentReplicas
		secret    *kube.Secret
		err       error
	}
	revisions, replicas, secret := make(chan answer, 1), make(chan answer, 1), make(chan answer, 1)
	go func() {
		found, err := h.kubectl.Revisions(ctx, r.namespace, r.name)
		revisions <- answer{revisions: found, err: err}
	}()
	go func() {
		found, err := h.kubectl.Replicas(ctx, r.namespace, r.name)
		replicas <- answer{replicas: found, err: err}
	}()
	go func() {
		found, err := h.kubectl.Secret(ctx, r.namespace, r.secretName())
		secret <- answer{secret: found, err: err}
	}()
	return func() (installed, error) {
		v, r, s := <-revisions, <-replicas, <-secret
		found := installed{replicas: r.replicas, secret: s.secret}
		if len(v.revisions) > 0 {
			found.labels = v.revisions[0]
		}
		if len(v.revisions) > 1 { // a run whose revision has been ready once makes no other
			older := v.revisions[1]
			found.byHand = found.labels[runLabel] == older[runLabel] && older[rolloutLabel] == rolloutReady
		}
		return found, errors.Join(v.err, r.err, s.err)
	}
}

// checkOwner is an error when the release demonstrably is another workload's: by our labels, or, where it has none
// because the reference operator made it, by the values that operator gives to every release. Any other release of that
// name is taken over.
func (h *Handlers) checkOwner(ctx context.Context, r release, w hub.Workload, found map[string]string) error {
	if found == nil {
		return nil
	}
	own := workloadLabels(w)
	if _, labelled := found[group+"/tenant"]; labelled {
		return sameOwner(r, "label", found, own, group+"/tenant", group+"/workload-rt-id")
	}
	text, err := h.helmGet(ctx, r, "values")
	if err != nil {
		return fmt.Errorf("cannot find out whose release %s is: %w", r.name, err)
	}
	var values struct{ TenantID, AdapterRtID any }
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return fmt.Errorf("cannot read the values of release %s: %w", r.name, err)
	}
	has := map[string]string{}
	setText(has, "tenantId", values.TenantID)
	setText(has, "adapterRtId", values.AdapterRtID)
	return sameOwner(r, "value", has, map[string]string{"tenantId": w.TenantID, "adapterRtId": w.WorkloadRtID}, "tenantId", "adapterRtId")
}

func setText(m map[string]string, key string, value any) {
	if text, ok := value.(string); ok && text != "" {
		m[key] = text
	}
}

// sameOwner compares the keys that say whose a release is. A key that one side lacks proves nothing: a workload of G1 has
// no runtime id. The pool is not among them: a workload may move to another one.
func sameOwner(r release, what string, found, own map[string]string, keys ...string) error {
	for _, key := range keys {
		if found[key] != "" && own[key] != "" && found[key] != own[key] {
			return fmt.Errorf("release %s in namespace %s belongs to another workload: its %s %s is %q, this workload's is %q: undeploy the other one, or rename one of them",
				r.name, r.namespace, what, key, found[key], own[key])
		}
	}
	return nil
}

// keptReplicas is the count that a deploy keeps: the largest that a Deployment has, if it is above 0. Whoever scaled owns the
// field; helm applies server-side and would fail on it with any other count.
func (i installed) keptReplicas() (count int, keep bool) {
	for _, d := range i.replicas {
		count = max(count, d.Replicas)
	}
	return count, count > 0
}

// disagreement names the Deployments and their counts; empty if they are the same.
func (i installed) disagreement() string {
	differ := false
	var counts []string
	for _, d := range i.replicas {
		differ = differ || d.Replicas != i.replicas[0].Replicas
		counts = append(counts, fmt.Sprintf("%s has %d", d.Name, d.Replicas))
	}
	if !differ {
		return ""
	}
	return strings.Join(counts, ", ")
}

func joinLabels(labels map[string]string) string {
	var pairs []string
	for _, key := range sortedKeys(labels) {
		pairs = append(pairs, key+"="+labels[key])
	}
	return strings.Join(pairs, ",")
}
