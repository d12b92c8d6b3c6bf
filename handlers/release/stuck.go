package release

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

// stuck unlocks releases on which every helm refuses to work, because a killed helm has left the newest revision pending, or the release
// uninstalling.
type stuck struct {
	cluster *kube.Client
	timeout time.Duration // of helm
}

// orphanAge is the age at which a pending revision counts as orphaned, whoever has made it. Somebody else's live helm may wait for minutes; the
// contract says twice helm's default timeout.
const orphanAge = 10 * time.Minute

// isStuck tells whether every helm refuses to work on a release whose newest revision has that status.
func isStuck(status string) bool {
	return strings.HasPrefix(status, "pending-") || status == "uninstalling"
}

// freeBefore is free before work on a release. It returns the labels of the newest revision after that.
func (s stuck) freeBefore(ctx context.Context, t *dispatch.Task, r names.Release, labels map[string]string) (map[string]string, error) {
	wasStuck := isStuck(labels["status"])
	if wasStuck {
		t.Phase(runs.PhaseRollback)
	}
	if err := s.free(ctx, t, r, labels); err != nil || !wasStuck {
		return labels, err
	}
	return s.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
}

// freeAfterFailure is free after the operator's own helm has failed on a release. It may have been killed, and later nobody may know any more
// whose helm it was.
func (s stuck) freeAfterFailure(ctx context.Context, t *dispatch.Task, r names.Release) error {
	labels, err := s.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err == nil {
		err = s.free(ctx, t, r, labels)
	}
	if err != nil {
		t.Log.Warn("release may be left unusable: the next deploy tries to recover it", "reason", err)
	}
	return err
}

// free runs workload-recover if a release is stuck. It is an error if the helm that works on it may be alive: see checkOrphaned. labels are those
// of the newest revision.
func (s stuck) free(ctx context.Context, t *dispatch.Task, r names.Release, labels map[string]string) error {
	status := labels["status"]
	if !isStuck(status) {
		t.SetReleaseMayBePending(false)
		return nil
	}
	if err := s.checkOrphaned(ctx, t, r, time.Now()); err != nil {
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
		"RELEASE": r.Name, "NAMESPACE": r.Namespace, "TIMEOUT": s.timeout.String(), "STALE_REVISION": secret,
	})
	t.ExitCode = exitCode
	return err
}

// checkOrphaned is an error if somebody may still work on a release that is stuck. Nobody does if the operator's own helm has begun it (that helm
// is dead then), or if it has been stuck for longer than orphanAge.
func (s stuck) checkOrphaned(ctx context.Context, t *dispatch.Task, r names.Release, now time.Time) error {
	revisions, err := historyOf(ctx, s.cluster, r)
	if err != nil || len(revisions) == 0 || revisions.begunByUs(t.ShortID(), t.ReleaseMayBePending()) {
		return err
	}
	status := revisions[0]["status"]
	// Not Helm's own label modifiedAt: Helm 4.3.1 hands it down from revision to revision, so it may be days old.
	changed, err := s.cluster.Changed(ctx, r.Namespace, "secrets", kube.RevisionSecret(r.Name, revisions[0]["version"]))
	if err != nil {
		return fmt.Errorf("cannot find out since when release %s is %s: %w", r.Name, status, err)
	}
	if now.Sub(changed) > orphanAge {
		return nil
	}
	return fmt.Errorf("release %s in namespace %s is %s since %s: another helm works on it; if that one is dead, deploy again after %s, when it counts as orphaned",
		r.Name, r.Namespace, status, changed.UTC().Format(time.RFC3339), changed.Add(orphanAge).UTC().Format(time.RFC3339))
}

// anotherWorks is what helm says when it has left a release alone because another helm works on it.
var anotherWorks = regexp.MustCompile(`another operation \(install/upgrade/rollback\) is in progress`)

// helmScript runs a script that runs helm on a release, and notes whether that helm has ended well: if not, it may have left the release stuck.
// Who finds the release in order later must note that too (SetReleaseMayBePending), or a later operation of somebody else's helm would be taken
// for ours.
func helmScript(ctx context.Context, t *dispatch.Task, name string, variables map[string]string) error {
	err := t.Script(ctx, name, variables)
	if err == nil || !anotherWorks.MatchString(err.Error()) {
		t.SetReleaseMayBePending(err != nil)
	}
	return err
}
