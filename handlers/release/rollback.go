package release

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/dispatch/reason"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/scripts"
)

// UndoDeploy takes back what a failed deploy has left in the cluster. Its pods are looked at before they are gone.
func (rs *Releases) UndoDeploy(ctx context.Context, t *dispatch.Task, f *reason.Failure) {
	w, err := hub.Decode[hub.Workload](t.Event.Argument)
	if err != nil {
		return
	}
	var r names.Release
	var revisions []map[string]string
	err = t.Retry(ctx, func() (err error) {
		if r, err = rs.Locate(ctx, w); err == nil {
			revisions, err = rs.Kubectl.Revisions(ctx, r.Namespace, r.Name)
		}
		return err
	})
	if err != nil {
		if t.MayHaveChanged {
			f.After = "whether something of it is left in the cluster is not known: " + err.Error()
		}
		return
	}
	if len(revisions) == 0 || revisions[0][names.RunLabel] != t.ShortID() { // helm has not come so far as to change anything
		if err := rs.undoSecret(ctx, t, r, w); err != nil {
			f.After = "its secret could not be taken back: " + reason.FirstLine(dispatch.WordsOf(err))
			return
		}
		f.After = rs.endEarlier(ctx, t, r, revisions)
		return
	}
	f.See(rs.lookOnceMore(ctx, t, r))
	f.After = rs.rollBack(ctx, t, r, w, revisions)
}

// endEarlier is for a deploy that has changed nothing after it has taken the place of one that waited for its pods. Nobody else
// would find out whether those become ready, so that is done here, and what does not is taken back to what has worked.
func (rs *Releases) endEarlier(ctx context.Context, t *dispatch.Task, r names.Release, revisions []map[string]string) string {
	if len(revisions) == 0 || revisions[0]["status"] != "deployed" || revisions[0][names.RolloutLabel] != names.RolloutWaiting {
		return ""
	}
	version, run := revisions[0]["version"], revisions[0][names.RunLabel]
	t.Log.Warn("the deploy has failed before it changed anything: the pods of the one before it are waited for", "revision", version)
	t.Progress("the deploy has failed before it changed anything. It had taken the place of one whose pods were not ready yet: they are waited for")
	err := t.Retry(ctx, func() error { return rs.finishEarlier(ctx, t, r, run) })
	if err == nil || ctx.Err() != nil {
		return ""
	}
	after := "the deploy before it, whose place it had taken, is not ready: " + reason.FirstLine(dispatch.WordsOf(err))
	target := rollbackTarget(revisions, run)
	if rollout := (*rolloutError)(nil); !errors.As(err, &rollout) || !hasBeenReady(revisions, target) {
		return after
	}
	return after + "; " + rs.rollBackTo(ctx, t, r, target, wokenBy(revisions, run))
}

// finishEarlier is what the run that has made the newest revision would have done, had it not been ended.
func (rs *Releases) finishEarlier(ctx context.Context, t *dispatch.Task, r names.Release, run string) error {
	live, err := rs.Kubectl.Secret(ctx, r.Namespace, r.SecretName())
	if err != nil {
		return err
	}
	owed, open, err := openChange(live)
	if err == nil {
		_, err = rs.restart(ctx, t, r, owed)
	}
	if err == nil {
		err = rs.AwaitPods(ctx, t, r)
	}
	if err == nil {
		err = rs.markReady(ctx, r, run)
	}
	if err != nil || !open {
		return err
	}
	return rs.closeChange(ctx, r)
}

// rollBack brings the release back to what it was before the run, and says so.
func (rs *Releases) rollBack(ctx context.Context, t *dispatch.Task, r names.Release, w hub.Workload, revisions []map[string]string) string {
	var err error
	if strings.HasPrefix(revisions[0]["status"], "pending-") { // helm was killed: by a lack of memory, say
		err = t.Retry(ctx, func() error { return rs.recoverAfterwards(ctx, t, r) })
	}
	target := rollbackTarget(revisions, t.ShortID())
	if target != "" {
		return rs.rollBackTo(ctx, t, r, target, wokenBy(revisions, t.ShortID()))
	}
	if revisions[0]["status"] != "pending-install" { // which recovering has uninstalled
		err = t.Retry(ctx, func() error { return rs.rollbackScript(ctx, t, r, "", false) })
	}
	if err == nil {
		err = rs.dropSecret(ctx, t, r, w)
	}
	if err != nil {
		return "it could not be taken back: " + reason.FirstLine(dispatch.WordsOf(err))
	}
	return "the release was uninstalled: there was none before"
}

// rollBackTo brings back a revision, and what the release's Secret held then. asleep: the workload had no replicas then.
func (rs *Releases) rollBackTo(ctx context.Context, t *dispatch.Task, r names.Release, revision string, asleep bool) string {
	users, open := restarts{}, false
	secret := t.Retry(ctx, func() (err error) { users, open, err = rs.restoreSecret(ctx, t, r, false); return err })
	if err := t.Retry(ctx, func() error { return rs.rollbackScript(ctx, t, r, revision, asleep) }); err != nil {
		return "it could not be taken back: " + reason.FirstLine(dispatch.WordsOf(err))
	}
	if secret == nil && open {
		secret = rs.endRestore(ctx, t, r, users)
	}
	if secret != nil {
		return "the release was rolled back to revision " + revision + ", but its secret, or who uses it, has still other values: " + reason.FirstLine(dispatch.WordsOf(secret))
	}
	return "the release was rolled back to revision " + revision
}

// rollbackTarget is the revision to go back to: the newest one of another event whose pods have been ready, or where there is none,
// the newest that helm calls good; "": there is none, it was a first install. Revisions without our label were made by an
// operator that let helm wait, or by hand.
func rollbackTarget(revisions []map[string]string, run string) string {
	good := slices.DeleteFunc(slices.Clone(revisions), func(labels map[string]string) bool {
		return labels[names.RunLabel] == run || (labels["status"] != "deployed" && labels["status"] != "superseded")
	})
	for _, labels := range good {
		if labels[names.RolloutLabel] != names.RolloutWaiting {
			return labels["version"]
		}
	}
	if len(good) > 0 {
		return good[0]["version"]
	}
	return ""
}

// hasBeenReady tells whether the pods of a revision have been.
func hasBeenReady(revisions []map[string]string, version string) bool {
	return slices.ContainsFunc(revisions, func(labels map[string]string) bool {
		return labels["version"] == version && labels[names.RolloutLabel] != names.RolloutWaiting
	})
}

// wokenBy tells whether a run has woken the workload up.
func wokenBy(revisions []map[string]string, run string) bool {
	return slices.ContainsFunc(revisions, func(labels map[string]string) bool {
		return labels[names.RunLabel] == run && labels[names.WakesLabel] == "true"
	})
}

func (rs *Releases) rollbackScript(ctx context.Context, t *dispatch.Task, r names.Release, revision string, asleep bool) error {
	major, err := rs.helm.major(ctx)
	if err != nil {
		return err
	}
	replicas, err := rs.Kubectl.Replicas(ctx, r.Namespace, r.Name)
	if err != nil {
		return err
	}
	keep, live := "", Installed{replicas: replicas}
	count, runs := live.keptReplicas()
	switch {
	case asleep && runs:
		keep = "0"
	case runs && live.disagreement() == "":
		keep = strconv.Itoa(count)
	}
	exitCode := t.ExitCode
	err = rs.script(ctx, t, scripts.WorkloadRollback, map[string]string{
		"HELM": major, "RELEASE": r.Name, "NAMESPACE": r.Namespace, "REVISION": revision, "TIMEOUT": rs.Settings.Helm.Timeout.String(),
		"REPLICAS": keep, "SCALE_SCRIPT": rs.scripts.Path(scripts.WorkloadScale),
	})
	t.ExitCode = exitCode
	return err
}
