package release

import (
	"context"
	"slices"

	"octo-operator/kube"
	"octo-operator/names"
)

// history is the labels of a release's revisions, the newest first; empty: there is no such release. helm sets the labels "version" and "status",
// the operator the others.
type history []map[string]string

func historyOf(ctx context.Context, cluster *kube.Client, r names.Release) (history, error) {
	return cluster.Revisions(ctx, r.Namespace, r.Name)
}

// newest are the labels of the newest revision; nil: there is no such release.
func (h history) newest() map[string]string {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

// handedDown tells whether somebody else has made the newest revision: then helm has copied the operator's labels from the revision before. It is
// known by the run in the labels: a run makes no second revision after its pods were ready.
func (h history) handedDown() bool {
	return len(h) > 1 && h[0][names.RunLabel] == h[1][names.RunLabel] && h[1][names.RolloutLabel] == names.RolloutReady
}

// rollbackTarget returns the revision to which a failed run goes back: the newest one of another run whose pods were ready once. If there is
// none, the newest one that helm calls good (one without the operator's label was made by an operator that let helm wait, or by hand). "": there
// is none; it was a first install.
func (h history) rollbackTarget(run string) string {
	good := slices.DeleteFunc(slices.Clone(h), func(labels map[string]string) bool {
		return labels[names.RunLabel] == run || (labels["status"] != "deployed" && labels["status"] != "superseded")
	})
	for _, labels := range good {
		if labels[names.RolloutLabel] != names.RolloutWaiting {
			return labels["version"]
		}
	}
	return good.newest()["version"]
}

// hasBeenReady tells whether the pods of a revision have been ready.
func (h history) hasBeenReady(version string) bool {
	return slices.ContainsFunc(h, func(labels map[string]string) bool {
		return labels["version"] == version && labels[names.RolloutLabel] != names.RolloutWaiting
	})
}

// wokenBy tells whether a run has woken up a workload that had no replicas.
func (h history) wokenBy(run string) bool {
	return slices.ContainsFunc(h, func(labels map[string]string) bool {
		return labels[names.RunLabel] == run && labels[names.WakesLabel] == "true"
	})
}

// begunByUs tells whether a helm of this operator has begun the operation that the newest revision's status shows, such as an install. If that
// has not ended, its helm is dead: only the leader works, and on each release one run at a time. unclean: since the release was last found in
// order, a helm of ours on it has failed, in this life or an earlier one.
//
// The run in the revision's labels tells whose it is. But helm copies labels: a revision that somebody else's helm has begun has the run of the
// revision before. And a rollback or uninstall does not change the labels.
func (h history) begunByUs(run string, unclean bool) bool {
	newest := h.newest()
	if status := newest["status"]; status != "pending-install" && status != "pending-upgrade" {
		return unclean
	}
	inherited := slices.ContainsFunc(h[1:], func(older map[string]string) bool { return older[names.RunLabel] == newest[names.RunLabel] })
	switch {
	case !inherited && newest[names.RunLabel] == run:
		return true
	case !unclean: // "octo-operator handle" beside the leader labels its revisions too, and its helm may live
		return false
	case inherited: // or it was another try of the same run
		return newest[names.RunLabel] == run
	}
	return newest[names.RunLabel] != ""
}

// newestObjects are what a release's newest revision consists of; none if there is no such release.
func newestObjects(ctx context.Context, cluster *kube.Client, r names.Release) ([]kube.Object, error) {
	labels, err := cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels == nil {
		return nil, err
	}
	manifest, err := cluster.Manifest(ctx, r.Namespace, r.Name, labels["version"])
	if err != nil {
		return nil, err
	}
	return kube.Objects(manifest, r.Namespace)
}

// labelRevision sets a label of one revision of a release.
func labelRevision(ctx context.Context, cluster *kube.Client, r names.Release, version, label, value string) error {
	return cluster.PatchLabels(ctx, names.FieldManager, r.Namespace, "secrets", kube.RevisionSecret(r.Name, version), map[string]*string{label: &value})
}
