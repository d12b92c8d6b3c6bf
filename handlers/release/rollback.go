package release

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"octo-operator/dispatch"
	"octo-operator/dispatch/reason"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/scripts"
)

// rollback undoes a failed deploy.
type rollback struct {
	parts
	task      *dispatch.Task
	release   names.Release
	workload  hub.Workload
	revisions history // with those of the run
}

// Undo undoes a failed deploy. It adds to the failure what was found in its pods before they are removed, and what became of the release.
func (d *Deployer) Undo(ctx context.Context, t *dispatch.Task, f *reason.Failure) {
	w, err := hub.Decode[hub.Workload](t.Event.Argument)
	if err != nil {
		return
	}
	if t.MayHaveChanged {
		t.Phase(runs.PhaseRollback)
	}
	b := &rollback{parts: d.parts, task: t, workload: w}
	err = t.Retry(ctx, func() (err error) {
		if b.release, err = d.owners.locate(ctx, w); err == nil {
			b.revisions, err = historyOf(ctx, d.cluster, b.release)
		}
		return err
	})
	if err != nil {
		if t.MayHaveChanged {
			f.After = "whether something of it is left in the cluster is not known: " + err.Error()
		}
		return
	}
	if !isStuck(b.revisions.newest()["status"]) {
		t.SetReleaseMayBePending(false)
	}
	if b.revisions.newest()[names.RunLabel] != t.ShortID() { // helm has not come so far as to change anything
		if err := d.secrets.undo(ctx, t, b.release, w); err != nil {
			f.After = "its secret could not be taken back: " + reason.FirstLine(dispatch.WordsOf(err))
			return
		}
		f.After = b.endEarlier(ctx)
		return
	}
	f.See(d.rollouts.lastFindings(ctx, t, b.release))
	f.After = b.undo(ctx)
}

// endEarlier is for a deploy that has changed nothing, but has ended the wait of an older deploy for its pods. It finishes that wait: the older
// one is marked as ready, or undone.
func (b *rollback) endEarlier(ctx context.Context) string {
	t, earlier := b.task, b.revisions.newest()
	if earlier["status"] != "deployed" || earlier[names.RolloutLabel] != names.RolloutWaiting {
		return ""
	}
	t.Phase(runs.PhaseRollback)
	run := earlier[names.RunLabel]
	t.Log.Warn("the deploy has failed before it changed anything: the pods of the one before it are waited for", "revision", earlier["version"])
	t.Progress("the deploy has failed before it changed anything. It had taken the place of one whose pods were not ready yet: they are waited for")
	err := t.Retry(ctx, func() error { return b.finishEarlier(ctx, run) })
	if err == nil || ctx.Err() != nil {
		return ""
	}
	after := "the deploy before it, whose place it had taken, is not ready: " + reason.FirstLine(dispatch.WordsOf(err))
	target := b.revisions.rollbackTarget(run)
	if !errors.As(err, new(*rolloutError)) || !b.revisions.hasBeenReady(target) {
		return after
	}
	return after + "; " + b.to(ctx, target, b.revisions.wokenBy(run))
}

// finishEarlier is what the run that has made the newest revision would have done, had it not been ended.
func (b *rollback) finishEarlier(ctx context.Context, run string) error {
	live, err := b.cluster.Secret(ctx, b.release.Namespace, b.release.SecretName())
	if err != nil {
		return err
	}
	owed, open, err := openChange(live)
	if err == nil {
		_, err = b.secrets.restart(ctx, b.task, b.release, owed)
	}
	if err == nil {
		_, err = b.rollouts.await(ctx, b.task, b.release)
	}
	if err == nil {
		err = b.rollouts.markReady(ctx, b.release, nil, run)
	}
	if err != nil || !open {
		return err
	}
	return b.secrets.closeChange(ctx, b.release)
}

// undo brings the release back to the state before the run, and says what it did.
func (b *rollback) undo(ctx context.Context) string {
	t, status := b.task, b.revisions.newest()["status"]
	t.Phase(runs.PhaseRollback)
	var err error
	if strings.HasPrefix(status, "pending-") { // helm was killed: by a lack of memory, say
		err = t.Retry(ctx, func() error { return b.stuck.freeAfterFailure(ctx, t, b.release) })
	}
	if target := b.revisions.rollbackTarget(t.ShortID()); target != "" {
		return b.to(ctx, target, b.revisions.wokenBy(t.ShortID()))
	}
	if status != "pending-install" { // which freeing it has uninstalled
		err = t.Retry(ctx, func() error { return b.script(ctx, "", false) })
	}
	if err == nil {
		err = b.secrets.drop(ctx, t, b.release, b.workload)
	}
	if err != nil {
		return "it could not be taken back: " + reason.FirstLine(dispatch.WordsOf(err))
	}
	return "the release was uninstalled: there was none before"
}

// to rolls back to a revision, and restores what the release's Secret held then. asleep: the workload had no replicas then.
func (b *rollback) to(ctx context.Context, revision string, asleep bool) string {
	t := b.task
	users, open := restarts{}, false
	secret := t.Retry(ctx, func() (err error) { users, open, err = b.secrets.restore(ctx, t, b.release, false); return err })
	if err := t.Retry(ctx, func() error { return b.script(ctx, revision, asleep) }); err != nil {
		return "it could not be taken back: " + reason.FirstLine(dispatch.WordsOf(err))
	}
	if secret == nil && open {
		secret = b.secrets.endRestore(ctx, t, b.release, users)
	}
	if secret != nil {
		return "the release was rolled back to revision " + revision + ", but its secret, or who uses it, has still other values: " + reason.FirstLine(dispatch.WordsOf(secret))
	}
	return "the release was rolled back to revision " + revision
}

// script runs workload-rollback, to a revision; "": the release is uninstalled. The Deployments keep the number of replicas that they have.
func (b *rollback) script(ctx context.Context, revision string, asleep bool) error {
	major, err := b.helm.major(ctx)
	if err != nil {
		return err
	}
	replicas, err := b.cluster.Replicas(ctx, b.release.Namespace, b.release.Name)
	if err != nil {
		return err
	}
	exitCode := b.task.ExitCode
	err = helmScript(ctx, b.task, scripts.WorkloadRollback, map[string]string{
		"HELM": major, "RELEASE": b.release.Name, "NAMESPACE": b.release.Namespace, "REVISION": revision, "TIMEOUT": b.settings.Helm.Timeout.String(),
		"REPLICAS": rollbackReplicas(liveState{replicas: replicas}, asleep), "SCALE_SCRIPT": b.scripts.Path(scripts.WorkloadScale),
	})
	b.task.ExitCode = exitCode
	return err
}

// rollbackReplicas is the count that the Deployments are to have after a rollback; "": whatever the revision says. asleep: the workload
// had no replicas in that revision.
func rollbackReplicas(live liveState, asleep bool) string {
	count, runs := live.keptReplicas()
	switch {
	case asleep && runs:
		return "0"
	case runs && live.disagreement() == "":
		return strconv.Itoa(count)
	}
	return ""
}
