package handlers

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"octo-operator/hub"
	"octo-operator/kube"
)

// A release has a workload's name and need not be the workload's: a person may have installed it, or the name may have been cut off.
// An undeploy that goes by the name alone has once removed a release of the platform. So there must be proof:
//   - this operator's labels, on the newest revision;
//   - where there are none, or they do not tell the tenant from another one, the values tenantId and adapterRtId, which the reference
//     operator gives to every release;
//   - where these are not there either, for releases of its first versions, the Secret that the values refer to, by its labels.

// locate finds the name of a workload's release: its own, or another one under which the reference operator has made it, if that is
// provably this workload's. An error is that it cannot be told: a second release beside the first one would be worse.
func (rs *releases) locate(ctx context.Context, w hub.Workload) (release, error) {
	r, err := releaseOf(rs.settings, w)
	if err != nil {
		return r, err
	}
	for _, name := range referenceReleases(w) {
		old := r
		old.name = name
		p, err := rs.whoseReference(ctx, old, w)
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
func (rs *releases) whoseReference(ctx context.Context, r release, w hub.Workload) (proof, error) {
	revisions, err := rs.kubectl.Revisions(ctx, r.namespace, r.name)
	if err != nil || len(revisions) > 0 {
		p := proof{}
		if err == nil {
			p, err = rs.whose(ctx, r, w, revisions)
		}
		return p, err
	}
	secret, err := rs.kubectl.Secret(ctx, r.namespace, r.secretName())
	if err == nil && ours(secret, w) {
		return proof{verdict: ofThis}, nil
	}
	return proof{verdict: ofNobody}, err
}

// owned returns the labels of a release's revisions, the newest first. It is an error if the release is not the workload's.
func (rs *releases) owned(ctx context.Context, r release, w hub.Workload) ([]map[string]string, error) {
	revisions, err := rs.kubectl.Revisions(ctx, r.namespace, r.name)
	if err != nil {
		return nil, err
	}
	return revisions, rs.checkOwner(ctx, r, w, revisions)
}

// checkOwner is an error unless a release that is there is provably the workload's. revisions are the labels of its revisions, the
// newest first.
func (rs *releases) checkOwner(ctx context.Context, r release, w hub.Workload, revisions []map[string]string) error {
	p, err := rs.whose(ctx, r, w, revisions)
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
	return fmt.Errorf("release %s in namespace %s is left alone: nothing proves that it is this workload's, neither labels nor the values tenantId and adapterRtId. If it is: %s",
		r.name, r.namespace, markedAs("secret --namespace "+r.namespace+" --selector owner=helm,name="+r.name, w.TenantID, rtIDMark(w)))
}

func rtIDMark(w hub.Workload) map[string]string {
	if w.WorkloadRtID == "" {
		return map[string]string{}
	}
	return map[string]string{rtIDLabel: w.WorkloadRtID}
}

// checkSecret is an error if a release's Secret is not the workload's. A release that is there and is the workload's proves it, unless
// the Secret itself says otherwise: nobody else has its name.
func checkSecret(s *kube.Secret, r release, w hub.Workload, releaseThere bool) error {
	if s == nil || releaseThere && r.name != r.own {
		return nil // what has a name of the reference operator's, two workloads may have written
	}
	switch p := secretProof(s, w); {
	case p.verdict == ofAnother:
		return fmt.Errorf("secret %s in namespace %s belongs to another workload: %s: undeploy the other one, or rename one of them", s.Name, r.namespace, p.reason)
	case p.verdict == unproven && !releaseThere:
		labels := rtIDMark(w)
		labels[managedByLabel] = managedBy
		return fmt.Errorf("secret %s in namespace %s is left alone: nothing proves that it is this workload's, whose release is not there. If it is: %s",
			s.Name, r.namespace, markedAs("secret "+s.Name+" --namespace "+r.namespace, w.TenantID, labels))
	}
	return nil
}

// leftSecret is the name of the Secret that an undeploy is to delete where there is no release, which would prove whose it is: one that
// was ended halfway has left it, or what was kept of it. "": there is none, or it is not known to be the workload's.
func (rs *releases) leftSecret(ctx context.Context, t *task, r release, w hub.Workload) (string, error) {
	for _, name := range []string{r.secretName(), r.secretBefore()} {
		s, err := rs.kubectl.Secret(ctx, r.namespace, name)
		if err != nil {
			return "", err
		}
		if s == nil {
			continue
		}
		p := secretProof(s, w)
		if p.verdict == unproven && w.WorkloadRtID == "" { // an undeploy of G1
			p = tenantProof(s.Labels, s.Annotations, w.TenantID)
		}
		switch p.verdict {
		case ofAnother:
			return "", checkSecret(s, r, w, false)
		case unproven:
			t.log.Warn("a secret is left: nothing proves that it is this workload's, whose release is not there", "secret", s.Name, "namespace", r.namespace)
			return "", nil
		}
		return r.secretName(), nil
	}
	return "", nil
}

// whose tells whose a release is, by what the reference operator or this one has left. revisions are the labels of its revisions, the
// newest first.
func (rs *releases) whose(ctx context.Context, r release, w hub.Workload, revisions []map[string]string) (proof, error) {
	if len(revisions) == 0 {
		return proof{verdict: ofNobody}, nil
	}
	p := labelProof(revisions[0], w)
	// Under a name of the reference operator's it may have deployed another workload since, and helm has handed the labels down.
	if p.verdict != unproven && (r.name == r.own || !handedDown(revisions)) {
		return p, nil
	}
	in := revisions[0]
	if i := slices.IndexFunc(revisions, func(labels map[string]string) bool { return labels["status"] == "deployed" }); i >= 0 {
		in = revisions[i] // what is newer has failed, or has not come to its end: another workload's, perhaps
	}
	values, err := rs.kubectl.Values(ctx, r.namespace, r.name, in["version"])
	if err != nil {
		return proof{}, err
	}
	byLabels := p
	p, err = valuesProof(values, w)
	if err == nil && p.verdict == unproven && byLabels.verdict != unproven {
		return byLabels, nil
	}
	if err != nil || p.verdict != unproven || !bytes.Contains(values, []byte(`"`+r.secretName()+`"`)) {
		return p, err
	}
	secret, err := rs.kubectl.Secret(ctx, r.namespace, r.secretName())
	if err != nil || secret == nil {
		return p, err
	}
	p = secretProof(secret, w)
	p.reason = "so says its secret " + secret.Name + ": " + p.reason
	return p, nil
}
