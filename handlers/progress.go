package handlers

import (
	"context"
	"strings"
	"time"

	"octo-operator/kube"
)

// watchProgress looks at a release's pods while helm works, which takes long if hooks are waited for, and tells the controller
// what it finds. A deploy that is faster than the first look is not slowed down by it.
func (rs *releases) watchProgress(ctx context.Context, t *task, r release) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		told := ""
		for sleep(ctx, tellInterval) == nil {
			found := strings.Join(rs.look(ctx, t, r), "\n")
			if text := t.redact.String(found); text != "" && text != told {
				told = text
				t.log.Warn("helm is still at work", "found", text)
				t.progress(text)
			}
		}
	}()
	return func() { cancel(); <-done }
}

// look says what keeps the objects of the event's own revision, and the pods of its hooks, from being ready.
func (rs *releases) look(ctx context.Context, t *task, r release) []string {
	found, err := rs.kubectl.HookFindings(ctx, r.namespace, r.name, t.began)
	objects, objectsErr := rs.objectsOf(ctx, t, r)
	if err == nil && objectsErr == nil && len(objects) > 0 {
		var rollout kube.Rollout
		rollout, err = rs.kubectl.Rollout(t.asTenant(ctx), objects, t.began)
		found = append(found, rollout.Findings...)
	}
	if err != nil && ctx.Err() == nil {
		t.log.Debug("pods not looked at", "reason", err)
	}
	return found
}

// objectsOf are the objects of the release's newest revision, if the event has made it.
func (rs *releases) objectsOf(ctx context.Context, t *task, r release) ([]kube.Object, error) {
	labels, err := rs.kubectl.ReleaseLabels(ctx, r.namespace, r.name)
	if err != nil || labels[runLabel] != t.ShortID() {
		return nil, err
	}
	return rs.objectsIn(ctx, r, labels["version"])
}

// lastLookTimeout bounds the look after a failure: somebody waits for the reason.
const lastLookTimeout = 10 * time.Second

func (rs *releases) lookOnceMore(ctx context.Context, t *task, r release) []string {
	ctx, cancel := context.WithTimeout(ctx, lastLookTimeout)
	defer cancel()
	return rs.look(ctx, t, r)
}
