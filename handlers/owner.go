package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"octo-operator/hub"
	"octo-operator/kube"
)

// A release has a workload's name and need not be the workload's: a person may have installed it, or the name may have been cut off.
// An undeploy that goes by the name alone has once removed a release of the platform. So there must be proof:
//   - this operator's labels, on the newest revision;
//   - where there are none, the values tenantId and adapterRtId, which the reference operator gives to every release;
//   - where these are not there either, for releases of its first versions, the Secret that the values refer to, by its labels.

// verdict says whose something is, as far as one workload wants to know.
type verdict int

const (
	ofNobody  verdict = iota // there is nothing
	unproven                 // nothing proves whose it is
	ofThis                   // it is the workload's
	ofAnother                // it is another workload's
)

type proof struct {
	verdict verdict
	reason  string // of ofAnother: what differs
}

// locate finds the name of a workload's release: its own, or another one under which the reference operator has made it, if that is
// provably this workload's. An error is that it cannot be told: a second release beside the first one would be worse.
func (h *Handlers) locate(ctx context.Context, w hub.Workload) (release, error) {
	r, err := releaseOf(h.settings, w)
	if err != nil {
		return r, err
	}
	for _, name := range referenceReleases(w) {
		old := r
		old.name = name
		p, err := h.whoseReference(ctx, old, w)
		switch {
		case err != nil:
			return r, err
		case p.verdict == ofThis:
			return old, nil
		case p.verdict == unproven:
			return r, unprovenError(old, w)
		}
	}
	return r, nil
}

// whoseReference tells whose a release with a name of the reference operator's is. If only its Secret is left, that tells: an undeploy
// may have been ended after helm.
func (h *Handlers) whoseReference(ctx context.Context, r release, w hub.Workload) (proof, error) {
	revisions, err := h.kubectl.Revisions(ctx, r.namespace, r.name)
	if err != nil || len(revisions) > 0 {
		p := proof{}
		if err == nil {
			p, err = h.whose(ctx, r, w, revisions)
		}
		return p, err
	}
	secret, err := h.kubectl.Secret(ctx, r.namespace, r.secretName())
	if err == nil && ours(secret, w) {
		return proof{verdict: ofThis}, nil
	}
	return proof{verdict: ofNobody}, err
}

// owned returns the labels of a release's revisions, the newest first. It is an error if the release is not the workload's.
func (h *Handlers) owned(ctx context.Context, r release, w hub.Workload) ([]map[string]string, error) {
	revisions, err := h.kubectl.Revisions(ctx, r.namespace, r.name)
	if err != nil {
		return nil, err
	}
	return revisions, h.checkOwner(ctx, r, w, revisions)
}

// checkOwner is an error unless a release that is there is provably the workload's. revisions are the labels of its revisions, the
// newest first.
func (h *Handlers) checkOwner(ctx context.Context, r release, w hub.Workload, revisions []map[string]string) error {
	p, err := h.whose(ctx, r, w, revisions)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find out whose release %s is: %w", r.name, err)
	case p.verdict == ofAnother:
		return fmt.Errorf("release %s in namespace %s belongs to another workload: %s: undeploy the other one, or rename one of them", r.name, r.namespace, p.reason)
	case p.verdict == unproven:
		return unprovenError(r, w)
	}
	return nil
}

func unprovenError(r release, w hub.Workload) error {
	labels := []string{group + "/tenant=" + labelValue(w.TenantID)}
	if w.WorkloadRtID != "" {
		labels = append(labels, group+"/workload-rt-id="+w.WorkloadRtID)
	}
	return fmt.Errorf("release %s in namespace %s is left alone: nothing proves that it is this workload's, neither labels nor the values tenantId and adapterRtId. "+
		"If it is: kubectl label secret --namespace %s --selector owner=helm,name=%s %s", r.name, r.namespace, r.namespace, r.name, strings.Join(labels, " "))
}

// whose tells whose a release is, by what the reference operator or this one has left. revisions are the labels of its revisions, the
// newest first.
func (h *Handlers) whose(ctx context.Context, r release, w hub.Workload, revisions []map[string]string) (proof, error) {
	if len(revisions) == 0 {
		return proof{verdict: ofNobody}, nil
	}
	_, labelled := revisions[0][group+"/tenant"]
	// Under a name of the reference operator's it may have deployed another workload since, and helm has handed the labels down.
	if labelled && (r.name == r.own || !handedDown(revisions)) {
		return labelProof(revisions[0], w), nil
	}
	in := revisions[0]
	if i := slices.IndexFunc(revisions, func(labels map[string]string) bool { return labels["status"] == "deployed" }); i >= 0 {
		in = revisions[i] // what is newer has failed, or has not come to its end: another workload's, perhaps
	}
	values, err := h.kubectl.Values(ctx, r.namespace, r.name, in["version"])
	if err != nil {
		return proof{}, err
	}
	p, err := valuesProof(values, w)
	if err == nil && p.verdict == unproven && labelled {
		return labelProof(revisions[0], w), nil
	}
	if err != nil || p.verdict != unproven || !bytes.Contains(values, []byte(`"`+r.secretName()+`"`)) {
		return p, err
	}
	secret, err := h.kubectl.Secret(ctx, r.namespace, r.secretName())
	if err != nil || secret == nil {
		return p, err
	}
	p = secretProof(secret, w)
	p.reason = "so says its secret " + secret.Name + ": " + p.reason
	return p, nil
}

// labelProof reads this operator's labels. The pool is not looked at: a workload may move to another one. Where one side has no runtime
// id, it proves nothing: in G1 not every event has one.
func labelProof(labels map[string]string, w hub.Workload) proof {
	wanted := workloadLabels(w)
	for _, key := range []string{group + "/tenant", group + "/workload-rt-id"} {
		if labels[key] != "" && wanted[key] != "" && labels[key] != wanted[key] {
			return differs("label", key, labels[key], wanted[key])
		}
	}
	return proof{verdict: ofThis}
}

// valuesProof reads the values that the reference operator gives to every release. An undeploy of G1 has no runtime id: there it is
// enough that the release has one, which no person's has.
func valuesProof(values json.RawMessage, w hub.Workload) (proof, error) {
	var all map[string]json.RawMessage // a struct's fields would match TENANTID too
	if len(values) > 0 {
		if err := json.Unmarshal(values, &all); err != nil {
			return proof{}, err
		}
	}
	tenant, rtID := text(all["tenantId"]), text(all["adapterRtId"])
	switch {
	case tenant != "" && tenant != w.TenantID:
		return differs("value", "tenantId", tenant, w.TenantID), nil
	case rtID != "" && w.WorkloadRtID != "" && rtID != w.WorkloadRtID:
		return differs("value", "adapterRtId", rtID, w.WorkloadRtID), nil
	case tenant == "" || rtID == "":
		return proof{verdict: unproven}, nil
	}
	return proof{verdict: ofThis}, nil
}

// text is a JSON string; "": it is none.
func text(value json.RawMessage) (s string) {
	_ = json.Unmarshal(value, &s)
	return s
}

// secretProof reads the labels that both operators put on a release's Secret. In G1 the reference operator put the workload's name there.
func secretProof(s *kube.Secret, w hub.Workload) proof {
	const tenant, rtID, name = group + "/tenant", group + "/workload-rt-id", group + "/workload"
	has := func(label string) bool { return s.Labels[label] != "" }
	switch {
	case has(tenant) && !isLabelOf(s.Labels[tenant], w.TenantID):
		return differs("label", tenant, s.Labels[tenant], labelValue(w.TenantID))
	case has(rtID) && w.WorkloadRtID != "" && s.Labels[rtID] != w.WorkloadRtID:
		return differs("label", rtID, s.Labels[rtID], w.WorkloadRtID)
	case has(name) && !isLabelOf(s.Labels[name], w.WorkloadName):
		return differs("label", name, s.Labels[name], labelValue(w.WorkloadName))
	case s.Labels[group+"/managed-by"] != "communication-operator" || !has(tenant):
		return proof{verdict: unproven}
	case has(name) || s.Labels[rtID] == w.WorkloadRtID:
		return proof{verdict: ofThis}
	}
	return proof{verdict: unproven}
}

// isLabelOf tells whether a label's value is made of s, by this operator or by the reference operator.
func isLabelOf(value, s string) bool { return value == labelValue(s) || value == referenceLabel(s) }

func differs(what, key, found, wanted string) proof {
	return proof{ofAnother, fmt.Sprintf("its %s %s is %q, this workload's is %q", what, key, found, wanted)}
}
