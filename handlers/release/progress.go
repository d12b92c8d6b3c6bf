package release

import (
	"context"
	"strings"
	"time"

	"octo-operator/dispatch"
	"octo-operator/kube"
	"octo-operator/names"
)

// watchProgress looks at a release's pods while helm works, which takes long if hooks are waited for, and tells the controller
// what it finds. A deploy that is faster than the first look is not slowed down by it.
func (rs *Releases) watchProgress(ctx context.Context, t *dispatch.Task, r names.Release) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		told := ""
		for dispatch.Sleep(ctx, tellInterval) == nil {
			found := strings.Join(rs.look(ctx, t, r), "\n")
			if text := t.Redact.String(found); text != "" && text != told {
				told = text
				t.Log.Warn("helm is still at work", "found", text)
				t.Progress(text)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// look says what keeps the objects of the event's own revision, and the pods of its hooks, from being ready.
func (rs *Releases) look(ctx context.Context, t *dispatch.Task, r names.Release) []string {
	found, err := rs.Kubectl.HookFindings(ctx, r.Namespace, r.Name, t.Started)
	objects, objectsErr := rs.objectsOf(ctx, t, r)
	if err == nil && objectsErr == nil && len(objects) > 0 {
		var rollout kube.Rollout
		rollout, err = rs.Kubectl.Rollout(t.AsTenant(ctx), objects, t.Started)
		found = append(found, rollout.Findings...)
	}
	if err != nil && ctx.Err() == nil {
		t.Log.Debug("pods not looked at", "reason", err)
	}
	return found
}

// objectsOf are the objects of the release's newest revision, if the event has made it.
func (rs *Releases) objectsOf(ctx context.Context, t *dispatch.Task, r names.Release) ([]kube.Object, error) {
	labels, err := rs.Kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels[names.RunLabel] != t.ShortID() {
		return nil, err
	}
	return rs.objectsIn(ctx, r, labels["version"])
}

// lastLookTimeout bounds the look after a failure: somebody waits for the reason.
const lastLookTimeout = 10 * time.Second

func (rs *Releases) lookOnceMore(ctx context.Context, t *dispatch.Task, r names.Release) []string {
	ctx, cancel := context.WithTimeout(ctx, lastLookTimeout)
	defer cancel()
	return rs.look(ctx, t, r)
}
