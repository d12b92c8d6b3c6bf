package release

import (
	"context"
	"slices"

	"octo-operator/kube"
	"octo-operator/names"
)

// history is what helm history shows of a release: the labels of its revisions, the newest first. Empty: there is no such release.
// helm sets the labels "version" and "status", the operator the others.
type history []map[string]string

func historyOf(ctx context.Context, kubectl *kube.Kubectl, r names.Release) (history, error) {
	return kubectl.Revisions(ctx, r.Namespace, r.Name)
}

// newest are the labels of the newest revision; nil: there is no such release.
func (h history) newest() map[string]string {
	if len(h) == 0 {
		return nil
	}
	return h[0]
}

// handedDown tells whether somebody else has made the newest revision, with the labels that helm hands down from the one before: a run
// whose revision has been ready once makes no other.
func (h history) handedDown() bool {
	return len(h) > 1 && h[0][names.RunLabel] == h[1][names.RunLabel] && h[1][names.RolloutLabel] == names.RolloutReady
}

// rollbackTarget is the revision that a failed run goes back to: the newest one of another run whose pods have been ready, or where there
// is none, the newest that helm calls good; "": there is none, it was a first install. Revisions without the operator's label were made
// by an operator that let helm wait, or by hand.
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

// wokenBy tells whether a run has given replicas to a workload that had none.
func (h history) wokenBy(run string) bool {
	return slices.ContainsFunc(h, func(labels map[string]string) bool {
		return labels[names.RunLabel] == run && labels[names.WakesLabel] == "true"
	})
}

// begunByUs tells whether the operator's own helm has begun what the newest revision's status tells of, an install for example. If its
// end is missing, that helm is dead: only the leader works, and on each release one run at a time. unclean: a helm of ours on this release
// has not ended well since the release was last seen in order, in this life of the operator or an earlier one.
//
// The label with the run tells whose a revision is. But helm hands labels down: a revision that somebody else's helm has begun has the
// run of the one before it. Rolling back and uninstalling leave the labels as they are.
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

// objectsOf are what one revision of a release consists of, as helm has recorded it.
func objectsOf(ctx context.Context, kubectl *kube.Kubectl, r names.Release, version string) ([]kube.Object, error) {
	manifest, err := kubectl.Manifest(ctx, r.Namespace, r.Name, version)
	if err != nil {
		return nil, err
	}
	return kube.Objects(manifest, r.Namespace)
}

// newestObjects are what a release's newest revision consists of; none if there is no such release.
func newestObjects(ctx context.Context, kubectl *kube.Kubectl, r names.Release) ([]kube.Object, error) {
	labels, err := kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels == nil {
		return nil, err
	}
	return objectsOf(ctx, kubectl, r, labels["version"])
}

// labelRevision sets a label of one revision of a release.
func labelRevision(ctx context.Context, kubectl *kube.Kubectl, r names.Release, version, label, value string) error {
	return kubectl.PatchLabels(ctx, names.FieldManager, r.Namespace, "secrets", kube.RevisionSecret(r.Name, version), map[string]*string{label: &value})
}
