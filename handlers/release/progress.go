package release

import (
	"context"
	"strings"
	"time"

	"octo-operator/dispatch"
	"octo-operator/dispatch/reason"
	"octo-operator/kube"
	"octo-operator/names"
)

// watchHelm looks at a release's pods while helm runs, which may take long if hooks are waited for, and reports what it finds. It does not delay
// helm.
func (ro rollouts) watchHelm(ctx context.Context, t *dispatch.Task, r names.Release) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		told := ""
		for dispatch.Sleep(ctx, ro.interval) == nil {
			found := strings.Join(ro.findings(ctx, t, r), "\n")
			if text := t.Redacted(found); text != "" && text != told {
				told = text
				t.Log.Warn("helm is still at work", "found", text, "next", "it is waited for: helm ends it after OPERATOR__HELM__TIMEOUT")
				t.Progress(text)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// findings are what keeps the objects of the event's own revision, and the pods of its hooks, from being ready.
func (ro rollouts) findings(ctx context.Context, t *dispatch.Task, r names.Release) []string {
	found, err := ro.cluster.HookFindings(ctx, r.Namespace, r.Name, t.Started)
	objects, objectsErr := ro.objectsOfRun(ctx, t, r)
	if err == nil && objectsErr == nil && len(objects) > 0 {
		var rollout kube.Rollout
		rollout, err = ro.cluster.Rollout(t.AsTenant(ctx), objects, t.Started)
		found = reason.Later(found, rollout.Findings)
	}
	if err != nil && ctx.Err() == nil {
		t.Log.Debug("pods not looked at", "reason", err)
	}
	return found
}

// objectsOfRun are the objects of the release's newest revision, if the run has made it.
func (ro rollouts) objectsOfRun(ctx context.Context, t *dispatch.Task, r names.Release) ([]kube.Object, error) {
	labels, err := ro.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels[names.RunLabel] != t.ShortID() {
		return nil, err
	}
	manifest, hooks, err := ro.cluster.ManifestAndHooks(ctx, r.Namespace, r.Name, labels["version"])
	if err != nil {
		return nil, err
	}
	if !t.Hides() { // a deploy that goes on after a kill, and fails before it renders
		hideInstalled(t, r, manifest, hooks)
	}
	return kube.Objects(manifest, r.Namespace)
}

// lastFindingsTimeout bounds the look after a failure: somebody waits for the reason.
const lastFindingsTimeout = 10 * time.Second

// lastFindings are the findings after a failure, before what was found is gone.
func (ro rollouts) lastFindings(ctx context.Context, t *dispatch.Task, r names.Release) []string {
	ctx, cancel := context.WithTimeout(ctx, lastFindingsTimeout)
	defer cancel()
	return ro.findings(ctx, t, r)
}
