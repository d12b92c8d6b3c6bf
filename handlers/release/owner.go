package release

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"octo-operator/config"
	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
)

// A release has a workload's name and need not be the workload's: a person may have installed it, or the name may have been cut off.
// An undeploy that goes by the name alone has once removed a release of the platform. So there must be proof:
//   - this operator's labels, on the newest revision;
//   - where there are none, or they do not tell the tenant from another one, the values tenantId and adapterRtId, which the reference
//     operator gives to every release;
//   - where these are not there either, for releases of its first versions, the Secret that the values refer to, by its labels.

// owners tells whose a release is, and which one is a workload's.
type owners struct {
	settings config.Config
	cluster  *kube.Client
}

// locate returns the name of a workload's release: this operator's own name, or the one that the reference operator would give, if such a release
// is provably the workload's. If that is not known it is an error, because a second release of the workload would be worse.
func (o owners) locate(ctx context.Context, w hub.Workload) (names.Release, error) {
	r, err := names.ReleaseOf(o.settings, w)
	if err != nil {
		return r, err
	}
	for _, name := range names.ReferenceReleases(w) {
		old := r
		old.Name = name
		p, err := o.whoseReference(ctx, old, w)
		switch {
		case err != nil:
			return r, err
		case p.Verdict == names.OfThis:
			return old, nil
		case p.Verdict == names.Unproven:
			return r, unprovenError(old, w)
		}
	}
	return r, nil
}

// whoseReference tells whose a release is that has a name as the reference operator gives. Where only its Secret is left, since an undeploy
// was ended after helm, the Secret tells.
func (o owners) whoseReference(ctx context.Context, r names.Release, w hub.Workload) (names.Proof, error) {
	revisions, err := historyOf(ctx, o.cluster, r)
	if err != nil || len(revisions) > 0 {
		p := names.Proof{}
		if err == nil {
			p, err = o.whose(ctx, r, w, revisions)
		}
		return p, err
	}
	secret, err := o.cluster.Secret(ctx, r.Namespace, r.SecretName())
	if err == nil && names.MadeFor(secret, w) {
		return names.Proof{Verdict: names.OfThis}, nil
	}
	return names.Proof{Verdict: names.OfNobody}, err
}

// owned returns a release's history. It is an error if the release exists and is not the workload's.
func (o owners) owned(ctx context.Context, r names.Release, w hub.Workload) (history, error) {
	revisions, err := historyOf(ctx, o.cluster, r)
	if err != nil {
		return nil, err
	}
	return revisions, o.check(ctx, r, w, revisions)
}

// check is an error if the release exists and is not provably the workload's.
func (o owners) check(ctx context.Context, r names.Release, w hub.Workload, revisions history) error {
	p, err := o.whose(ctx, r, w, revisions)
	switch {
	case err != nil:
		return fmt.Errorf("cannot find out whose release %s is: %w", r.Name, err)
	case p.Verdict == names.OfAnother:
		return fmt.Errorf("release %s in namespace %s belongs to another workload: %s: undeploy the other one, or rename one of them", r.Name, r.Namespace, p.Reason)
	case p.Verdict == names.Unproven:
		return unprovenError(r, w)
	}
	return nil
}

// unprovenError says how to prove that a release is the workload's.
func unprovenError(r names.Release, w hub.Workload) error {
	return fmt.Errorf("release %s in namespace %s is left alone: nothing proves that it is this workload's, neither labels nor the values tenantId and adapterRtId. If it is: %s",
		r.Name, r.Namespace, names.LabelCommand("secret --namespace "+r.Namespace+" --selector owner=helm,name="+r.Name, w.TenantID, rtIDMark(w)))
}

// rtIDMark is the label with the workload's runtime id; none in G1, where it has no id.
func rtIDMark(w hub.Workload) map[string]string {
	if w.WorkloadRtID == "" {
		return map[string]string{}
	}
	return map[string]string{names.RtIDLabel: w.WorkloadRtID}
}

// checkSecret is an error if a release's Secret is not the workload's. A release that is there and is the workload's proves it, unless
// the Secret itself says otherwise: nobody else has its name.
func checkSecret(s *kube.Secret, r names.Release, w hub.Workload, releaseThere bool) error {
	if s == nil || releaseThere && r.Name != r.Own {
		return nil // where the reference operator has cut the name off, two workloads may have written the Secret
	}
	switch p := names.SecretProof(s, w); {
	case p.Verdict == names.OfAnother:
		return fmt.Errorf("secret %s in namespace %s belongs to another workload: %s: undeploy the other one, or rename one of them", s.Name, r.Namespace, p.Reason)
	case p.Verdict == names.Unproven && !releaseThere:
		labels := rtIDMark(w)
		labels[names.ManagedByLabel] = names.ManagedBy
		return fmt.Errorf("secret %s in namespace %s is left alone: nothing proves that it is this workload's, whose release is not there. If it is: %s",
			s.Name, r.Namespace, names.LabelCommand("secret "+s.Name+" --namespace "+r.Namespace, w.TenantID, labels))
	}
	return nil
}

// leftSecret returns the name of the Secret that an undeploy must delete if there is no release: an undeploy that was interrupted has left it, or
// the copy of its old values. "": there is none, or it is not known to be the workload's.
func (o owners) leftSecret(ctx context.Context, t *dispatch.Task, r names.Release, w hub.Workload) (string, error) {
	for _, name := range []string{r.SecretName(), r.SecretBefore()} {
		s, err := o.cluster.Secret(ctx, r.Namespace, name)
		if err != nil {
			return "", err
		}
		if s == nil {
			continue
		}
		p := names.SecretProof(s, w)
		if p.Verdict == names.Unproven && w.WorkloadRtID == "" { // an undeploy of G1
			p = names.TenantProof(s.Labels, s.Annotations, w.TenantID)
		}
		switch p.Verdict {
		case names.OfAnother:
			return "", checkSecret(s, r, w, false)
		case names.Unproven:
			t.Log.Warn("a secret is left: nothing proves that it is this workload's, whose release is not there", "secret", s.Name, "namespace", r.Namespace, "next", "delete it, if it is nobody's")
			return "", nil
		}
		return r.SecretName(), nil
	}
	return "", nil
}

// whose tells whose a release is, by what the reference operator or this one has left.
func (o owners) whose(ctx context.Context, r names.Release, w hub.Workload, revisions history) (names.Proof, error) {
	if len(revisions) == 0 {
		return names.Proof{Verdict: names.OfNobody}, nil
	}
	p := names.LabelProof(revisions[0], w)
	// Under a name of the reference operator's it may have deployed another workload since, and helm has handed the labels down.
	if p.Verdict != names.Unproven && (r.Name == r.Own || !revisions.handedDown()) {
		return p, nil
	}
	in := revisions[0]
	if i := slices.IndexFunc(revisions, func(labels map[string]string) bool { return labels["status"] == "deployed" }); i >= 0 {
		in = revisions[i] // what is newer has failed, or has not come to its end: another workload's, perhaps
	}
	values, err := o.cluster.Values(ctx, r.Namespace, r.Name, in["version"])
	if err != nil {
		return names.Proof{}, err
	}
	byLabels := p
	p, err = names.ValuesProof(values, w)
	if err == nil && p.Verdict == names.Unproven && byLabels.Verdict != names.Unproven {
		return byLabels, nil
	}
	if err != nil || p.Verdict != names.Unproven || !bytes.Contains(values, []byte(`"`+r.SecretName()+`"`)) {
		return p, err
	}
	secret, err := o.cluster.Secret(ctx, r.Namespace, r.SecretName())
	if err != nil || secret == nil {
		return p, err
	}
	p = names.SecretProof(secret, w)
	p.Reason = "so says its secret " + secret.Name + ": " + p.Reason
	return p, nil
}
