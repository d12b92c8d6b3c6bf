package release

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"octo-operator/dispatch"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

// orphanAge is when a pending revision is taken for orphaned whoever made it. A live helm of somebody else's may well wait
// for minutes; twice helm's default timeout is the contract's measure.
const orphanAge = 10 * time.Minute

// anotherWorks is what helm says when it has left a release alone because another helm works on it.
var anotherWorks = regexp.MustCompile(`another operation \(install/upgrade/rollback\) is in progress`)

// usable is recover for a release that is about to be worked on: it returns the labels of the newest revision there is then.
func (rs *Releases) usable(ctx context.Context, t *dispatch.Task, r names.Release, labels map[string]string) (map[string]string, error) {
	if !blocked(labels["status"]) {
		t.SetReleaseMayBePending(false)
		return labels, nil
	}
	if err := rs.recover(ctx, t, r, labels); err != nil {
		return nil, err
	}
	return rs.Kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
}

// blocked tells whether every helm refuses to work on a release with that status.
func blocked(status string) bool {
	return strings.HasPrefix(status, "pending-") || status == "uninstalling"
}

// recover clears what a dead helm has left of a release: it leaves its newest revision pending, or the release uninstalling,
// and every later helm refuses to work on it. It is an error unless the helm is provably dead: it was ours, and nobody else of ours works
// on the release, or the revision is old. labels are those of the newest revision.
func (rs *Releases) recover(ctx context.Context, t *dispatch.Task, r names.Release, labels map[string]string) error {
	status := labels["status"]
	if !blocked(status) {
		t.SetReleaseMayBePending(false)
		return nil
	}
	if err := rs.orphaned(ctx, t, r, time.Now()); err != nil {
		return err
	}
	t.Log.Warn("a killed helm has left the release unusable: it is recovered", "status", status)
	secret := kube.RevisionSecret(r.Name, labels["version"])
	if status == "pending-install" || status == "uninstalling" {
		// There is no older revision to go on from, and without this one helm would not know of what it has installed: a later
		// undeploy would leave that behind. helm itself uninstalls what it fails to install.
		secret = ""
	}
	exitCode := t.ExitCode
	err := t.Script(ctx, scripts.WorkloadRecover, map[string]string{
		"RELEASE": r.Name, "NAMESPACE": r.Namespace, "TIMEOUT": rs.Settings.Helm.Timeout.String(), "STALE_REVISION": secret,
	})
	t.ExitCode = exitCode
	return err
}

// recoverAfterwards is recover for a helm of ours that has just failed. It might have been killed, and by the next deploy
// nobody may know any more that it was ours.
func (rs *Releases) recoverAfterwards(ctx context.Context, t *dispatch.Task, r names.Release) error {
	labels, err := rs.Kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err == nil {
		err = rs.recover(ctx, t, r, labels)
	}
	if err != nil {
		t.Log.Warn("release may be left unusable: the next deploy tries to recover it", "reason", err)
	}
	return err
}

// orphaned is an error unless nobody works on the release any more, whose newest revision is pending or which is being uninstalled.
func (rs *Releases) orphaned(ctx context.Context, t *dispatch.Task, r names.Release, now time.Time) error {
	revisions, err := rs.Kubectl.Revisions(ctx, r.Namespace, r.Name)
	if err != nil || len(revisions) == 0 || begunByUs(revisions, t.ShortID(), t.ReleaseMayBePending()) {
		return err
	}
	status := revisions[0]["status"]
	// Not Helm's own label modifiedAt: Helm 4.3.1 hands it down from revision to revision, so it may be days old.
	changed, err := rs.Kubectl.Changed(ctx, r.Namespace, "secrets", kube.RevisionSecret(r.Name, revisions[0]["version"]))
	if err != nil {
		return fmt.Errorf("cannot find out since when release %s is %s: %w", r.Name, status, err)
	}
	if now.Sub(changed) > orphanAge {
		return nil
	}
	return fmt.Errorf("release %s in namespace %s is %s since %s: another helm works on it; if that one is dead, deploy again after %s, when it counts as orphaned",
		r.Name, r.Namespace, status, changed.UTC().Format(time.RFC3339), changed.Add(orphanAge).UTC().Format(time.RFC3339))
}

// begunByUs tells whether a helm of ours has begun what makes the newest revision unusable. It is dead then: who leads works alone, and on
// each release one run at a time. unclean: that run's helm has not ended well, in this life or an earlier one.
//
// The label with the run tells of a revision. But helm hands labels down: a revision that somebody else's helm has begun has the run of
// one before it. Rolling back and uninstalling leave the labels as they are.
func begunByUs(revisions []map[string]string, run string, unclean bool) bool {
	newest := revisions[0]
	if status := newest["status"]; status != "pending-install" && status != "pending-upgrade" {
		return unclean
	}
	inherited := slices.ContainsFunc(revisions[1:], func(older map[string]string) bool { return older[names.RunLabel] == newest[names.RunLabel] })
	if inherited { // or it was another try of the same run
		return unclean && newest[names.RunLabel] == run
	}
	return newest[names.RunLabel] != ""
}

// RecoverLeft recovers the release of a workload's event that an earlier life has left.
func (rs *Releases) RecoverLeft(ctx context.Context, t *dispatch.Task) error {
	w, err := hub.Decode[hub.Workload](t.Event.Argument)
	if err != nil {
		return err
	}
	r, err := rs.Locate(ctx, w)
	if err != nil {
		return err
	}
	if _, err := rs.Owned(ctx, r, w); err != nil {
		return err // it is another workload's
	}
	_ = rs.recoverAfterwards(ctx, t, r) // whoever works on it next tries again, and says so
	return nil
}

// script runs a step that works with helm on a release. A helm that did not end well may have left it locked.
func (rs *Releases) script(ctx context.Context, t *dispatch.Task, name string, variables map[string]string) error {
	err := t.Script(ctx, name, variables)
	if err != nil && !anotherWorks.MatchString(err.Error()) {
		t.SetReleaseMayBePending(true)
	}
	return err
}
