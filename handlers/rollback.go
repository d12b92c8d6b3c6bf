package handlers

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"octo-operator/hub"
	"octo-operator/scripts"
)

// undoDeploy takes back what a failed deploy has left in the cluster. Its pods are looked at before they are gone.
func (rs *releases) undoDeploy(ctx context.Context, t *task, f *failure) {
	w, err := hub.Decode[hub.Workload](t.event.Argument)
	if err != nil {
		return
	}
	var r release
	var revisions []map[string]string
	err = t.insist(ctx, func() (err error) {
		if r, err = rs.locate(ctx, w); err == nil {
			revisions, err = rs.kubectl.Revisions(ctx, r.namespace, r.name)
		}
		return err
	})
	if err != nil {
		if t.installs {
			f.after = "whether something of it is left in the cluster is not known: " + err.Error()
		}
		return
	}
	if len(revisions) == 0 || revisions[0][runLabel] != t.ShortID() { // helm has not come so far as to change anything
		if err := rs.undoSecret(ctx, t, r, w); err != nil {
			f.after = "its secret could not be taken back: " + firstLine(wordsOf(err))
			return
		}
		f.after = rs.endEarlier(ctx, t, r, revisions)
		return
	}
	f.see(rs.lookOnceMore(ctx, t, r))
	f.after = rs.rollBack(ctx, t, r, w, revisions)
}

// endEarlier is for a deploy that has changed nothing after it has taken the place of one that waited for its pods. Nobody else
// would find out whether those become ready, so that is done here, and what does not is taken back to what has worked.
func (rs *releases) endEarlier(ctx context.Context, t *task, r release, revisions []map[string]string) string {
	if len(revisions) == 0 || revisions[0]["status"] != "deployed" || revisions[0][rolloutLabel] != rolloutWaiting {
		return ""
	}
	version, run := revisions[0]["version"], revisions[0][runLabel]
	t.log.Warn("the deploy has failed before it changed anything: the pods of the one before it are waited for", "revision", version)
	t.progress("the deploy has failed before it changed anything. It had taken the place of one whose pods were not ready yet: they are waited for")
	err := t.insist(ctx, func() error { return rs.finishEarlier(ctx, t, r, run) })
	if err == nil || ctx.Err() != nil {
		return ""
	}
	after := "the deploy before it, whose place it had taken, is not ready: " + firstLine(wordsOf(err))
	target := rollbackTarget(revisions, run)
	if rollout := (*rolloutError)(nil); !errors.As(err, &rollout) || !hasBeenReady(revisions, target) {
		return after
	}
	return after + "; " + rs.rollBackTo(ctx, t, r, target, wokenBy(revisions, run))
}

// finishEarlier is what the run that has made the newest revision would have done, had it not been ended.
func (rs *releases) finishEarlier(ctx context.Context, t *task, r release, run string) error {
	live, err := rs.kubectl.Secret(ctx, r.namespace, r.secretName())
	if err != nil {
		return err
	}
	owed, open, err := openChange(live)
	if err == nil {
		_, err = rs.restart(ctx, t, r, owed)
	}
	if err == nil {
		err = rs.awaitPods(ctx, t, r)
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
func (rs *releases) rollBack(ctx context.Context, t *task, r release, w hub.Workload, revisions []map[string]string) string {
	var err error
	if strings.HasPrefix(revisions[0]["status"], "pending-") { // helm was killed: by a lack of memory, say
		err = t.insist(ctx, func() error { return rs.recoverAfterwards(ctx, t, r) })
	}
	target := rollbackTarget(revisions, t.ShortID())
	if target != "" {
		return rs.rollBackTo(ctx, t, r, target, wokenBy(revisions, t.ShortID()))
	}
	if revisions[0]["status"] != "pending-install" { // which recovering has uninstalled
		err = t.insist(ctx, func() error { return rs.rollbackScript(ctx, t, r, "", false) })
	}
	if err == nil {
		err = rs.dropSecret(ctx, t, r, w)
	}
	if err != nil {
		return "it could not be taken back: " + firstLine(wordsOf(err))
	}
	return "the release was uninstalled: there was none before"
}

// rollBackTo brings back a revision, and what the release's Secret held then. asleep: the workload had no replicas then.
func (rs *releases) rollBackTo(ctx context.Context, t *task, r release, revision string, asleep bool) string {
	users, open := restarts{}, false
	secret := t.insist(ctx, func() (err error) { users, open, err = rs.restoreSecret(ctx, t, r, false); return err })
	if err := t.insist(ctx, func() error { return rs.rollbackScript(ctx, t, r, revision, asleep) }); err != nil {
		return "it could not be taken back: " + firstLine(wordsOf(err))
	}
	if secret == nil && open {
		secret = rs.endRestore(ctx, t, r, users)
	}
	if secret != nil {
		return "the release was rolled back to revision " + revision + ", but its secret, or who uses it, has still other values: " + firstLine(wordsOf(secret))
	}
	return "the release was rolled back to revision " + revision
}

// rollbackTarget is the revision to go back to: the newest one of another event whose pods have been ready, or where there is none,
// the newest that helm calls good; "": there is none, it was a first install. Revisions without our label were made by an
// operator that let helm wait, or by hand.
func rollbackTarget(revisions []map[string]string, run string) string {
	good := slices.DeleteFunc(slices.Clone(revisions), func(labels map[string]string) bool {
		return labels[runLabel] == run || (labels["status"] != "deployed" && labels["status"] != "superseded")
	})
	for _, labels := range good {
		if labels[rolloutLabel] != rolloutWaiting {
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
		return labels["version"] == version && labels[rolloutLabel] != rolloutWaiting
	})
}

// wokenBy tells whether a run has woken the workload up.
func wokenBy(revisions []map[string]string, run string) bool {
	return slices.ContainsFunc(revisions, func(labels map[string]string) bool { return labels[runLabel] == run && labels[wakesLabel] == "true" })
}

func (rs *releases) rollbackScript(ctx context.Context, t *task, r release, revision string, asleep bool) error {
	major, err := rs.helm.major(ctx)
	if err != nil {
		return err
	}
	replicas, err := rs.kubectl.Replicas(ctx, r.namespace, r.name)
	if err != nil {
		return err
	}
	keep, live := "", installed{replicas: replicas}
	count, runs := live.keptReplicas()
	switch {
	case asleep && runs:
		keep = "0"
	case runs && live.disagreement() == "":
		keep = strconv.Itoa(count)
	}
	exitCode := t.exitCode
	err = rs.script(ctx, t, scripts.WorkloadRollback, map[string]string{
		"HELM": major, "RELEASE": r.name, "NAMESPACE": r.namespace, "REVISION": revision, "TIMEOUT": rs.settings.Helm.Timeout.String(),
		"REPLICAS": keep, "SCALE_SCRIPT": rs.scripts.Path(scripts.WorkloadScale),
	})
	t.exitCode = exitCode
	return err
}
