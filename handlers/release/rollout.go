package release

import (
	"context"
	"errors"
	"strings"
	"time"

	"octo-operator/dispatch"
	"octo-operator/dispatch/reason"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

const (
	// The first looks come soon, since pods often are ready within a second; later ones cost the API server more than they tell.
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
	// tellInterval is how often what keeps pods from being ready is looked for, which takes many requests, and told if it has changed.
	tellInterval = 3 * time.Second
)

// rolloutError is a release whose pods have not become ready.
type rolloutError struct {
	waiting  []string // which objects were not ready
	seen     []string // what their pods say
	hopeless string   // proof that they never would be; "": the time was up
	timeout  time.Duration
}

// Explain fills in what a failed wait for pods is explained by.
func (e *rolloutError) Explain(f *reason.Failure) {
	f.Step, f.Words = scripts.WorkloadDeploy, ""
	f.Hopeless, f.Waiting, f.Seen = e.hopeless, e.waiting, e.seen
}

func (e *rolloutError) Error() string {
	if e.hopeless != "" {
		return "the release can never become ready: " + e.hopeless
	}
	return "the release was not ready within " + e.timeout.String() + ": " + strings.Join(e.waiting, "; ")
}

// AwaitPods returns when everything in the release's newest revision is ready. That costs no slot and no process: helm has ended.
// A newer event for the release ends it.
func (rs *Releases) AwaitPods(ctx context.Context, t *dispatch.Task, r names.Release) error {
	labels, err := rs.Kubectl.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || labels["status"] != "deployed" { // a script of the environment's own may have installed nothing
		return err
	}
	objects, err := rs.objectsIn(ctx, r, labels["version"])
	if err != nil {
		return err
	}
	t.Log.Info("waiting until the release is ready", "revision", labels["version"], "objects", len(objects), "timeout", rs.Settings.Helm.Timeout.String())
	w := &rolloutWatch{kubectl: rs.Kubectl, failFast: rs.Settings.FailFast, task: t, objects: objects, began: time.Now(), timeout: rs.Settings.Helm.Timeout}
	w.deadline, w.told, w.looked = w.began.Add(w.timeout), w.began, w.began
	// The first look comes before the wait: if everything is ready already, a newer event in the queue must not end this one.
	if ready, err := w.look(ctx); ready || err != nil {
		return err
	}
	return t.Park(ctx, true, func() error { return w.until(ctx) })
}

// rolloutWatch waits for a release's objects.
type rolloutWatch struct {
	kubectl  *kube.Kubectl
	failFast bool
	task     *dispatch.Task
	objects  []kube.Object
	timeout  time.Duration

	began    time.Time
	deadline time.Time
	looked   time.Time // when the last look began
	told     time.Time // when it was last looked at closely
	found    string    // those that were last told
	hopeless string    // what the last close look has proved
}

func (w *rolloutWatch) until(ctx context.Context) error {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		if err := dispatch.Sleep(ctx, pause); err != nil {
			return err
		}
		if ready, err := w.look(ctx); ready || err != nil {
			return err
		}
	}
}

// look is an error when waiting is over. Most looks are brief.
func (w *rolloutWatch) look(ctx context.Context) (ready bool, err error) {
	began := time.Now()
	ready, err = w.kubectl.RolledOut(w.task.AsTenant(ctx), w.objects)
	if err == nil && !ready && (began.After(w.deadline) || began.Sub(w.told) >= tellInterval) {
		w.told = began
		err = w.lookClosely(ctx)
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if errors.Is(err, kube.ErrUnreachable) { // nobody knows how the pods are: that time does not count
		w.deadline, err = w.deadline.Add(began.Sub(w.looked)), nil
	}
	w.looked = began
	return ready, err
}

// lookClosely finds out why the release is not ready. It is an error when waiting is over.
func (w *rolloutWatch) lookClosely(ctx context.Context) error {
	now, err := w.kubectl.Rollout(w.task.AsTenant(ctx), w.objects, w.task.Started)
	if err != nil || now.Ready {
		return err
	}
	proved := now.Hopeless != "" && now.Hopeless == w.hopeless // a single look may meet what is being mended
	w.hopeless = now.Hopeless
	failed := &rolloutError{waiting: now.Waiting, seen: now.Findings, timeout: w.timeout}
	switch {
	case proved && w.failFast:
		failed.hopeless = now.Hopeless
		return failed
	case time.Now().After(w.deadline):
		return failed
	}
	w.tell(now)
	return nil
}

// tell reports what keeps the pods from being ready, unless that has been told already.
func (w *rolloutWatch) tell(now kube.Rollout) {
	text := w.task.Redact.String(strings.Join(now.Findings, "\n"))
	if text == "" || text == w.found {
		return
	}
	w.found = text
	w.task.Log.Warn("the release is not ready yet", "found", text)
	w.task.Progress(text)
}
