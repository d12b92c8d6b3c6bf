package release

import (
	"context"
	"errors"
	"strings"
	"time"

	"octo-operator/dispatch"
	"octo-operator/dispatch/reason"
	"octo-operator/dispatch/runs"
	"octo-operator/kube"
	"octo-operator/names"
	"octo-operator/scripts"
)

const (
	// The first checks come soon, since pods often are ready within a second; later ones cost the API server more than they tell.
	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
	// inspectInterval is how often is looked why pods are not ready, which takes many requests.
	inspectInterval = 3 * time.Second
)

// rolloutError says that the pods of a release have not become ready.
type rolloutError struct {
	waiting  []string // which objects were not ready
	seen     []string // what their pods say
	hopeless string   // proof that they never would be; "": the time was up
	timeout  time.Duration
}

// Explain fills in the failure of a deploy whose pods have not become ready.
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

// rollouts waits for the pods of releases, and reports why they are not ready.
type rollouts struct {
	cluster  *kube.Client
	timeout  time.Duration // how long pods may take
	failFast bool          // what can never become ready ends the wait
	interval time.Duration // between two inspections
}

// await returns when everything in the release's newest revision is ready. Meanwhile the event has no slot, and no process runs. A newer event
// for the release ends the wait. labels are that revision's if all was ready at once; nil: they may have changed since.
func (ro rollouts) await(ctx context.Context, t *dispatch.Task, r names.Release) (labels map[string]string, err error) {
	newest, err := ro.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	if err != nil || newest["status"] != "deployed" { // a script of the environment's own may have installed nothing
		return nil, err
	}
	manifest, hooks, err := ro.cluster.ManifestAndHooks(ctx, r.Namespace, r.Name, newest["version"])
	if err != nil {
		return nil, err
	}
	hideInstalled(t, r, manifest, hooks)
	objects, err := kube.Objects(manifest, r.Namespace)
	if err != nil {
		return nil, err
	}
	t.Log.Info("waiting until the release is ready", "revision", newest["version"], "objects", len(objects), "timeout", ro.timeout.String())
	now := time.Now()
	w := &rolloutWatch{rollouts: ro, task: t, objects: objects, deadline: now.Add(ro.timeout), checked: now, inspected: now}
	// The first check comes before the wait: if everything is ready already, a newer event in the queue must not end this one.
	if ready, err := w.check(ctx); err != nil {
		return nil, err
	} else if ready {
		return newest, nil
	}
	return nil, t.Park(ctx, runs.WaitPods, "pods that are not ready", true, func() error { return w.until(ctx) })
}

// markReady labels the revision of a run, given by its short id, as one whose pods were ready: only to such revisions a later deploy is rolled
// back. labels are the newest revision's; nil: they are to be asked for.
func (ro rollouts) markReady(ctx context.Context, r names.Release, labels map[string]string, run string) (err error) {
	if labels == nil {
		labels, err = ro.cluster.ReleaseLabels(ctx, r.Namespace, r.Name)
	}
	if err != nil || labels[names.RunLabel] != run || labels[names.RolloutLabel] != names.RolloutWaiting {
		return err // a script of the environment's own may have made no revision, or one without the operator's labels
	}
	return labelRevision(ctx, ro.cluster, r, labels["version"], names.RolloutLabel, names.RolloutReady)
}

// rolloutWatch is one wait for a release's objects.
type rolloutWatch struct {
	rollouts
	task    *dispatch.Task
	objects []kube.Object

	deadline  time.Time
	checked   time.Time // when the last check began
	inspected time.Time // when the last inspection did
	found     string    // what was last told
	hopeless  string    // what the last inspection has proved
}

// until checks again and again.
func (w *rolloutWatch) until(ctx context.Context) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		if err := dispatch.Sleep(ctx, pause); err != nil {
			return err
		}
		if ready, err := w.check(ctx); ready || err != nil {
			return err
		}
	}
}

// check tells whether the release is ready; now and then it also inspects what is not. An error ends the wait.
func (w *rolloutWatch) check(ctx context.Context) (ready bool, err error) {
	began := time.Now()
	ready, err = w.cluster.RolledOut(w.task.AsTenant(ctx), w.objects)
	if err == nil && !ready && (began.After(w.deadline) || began.Sub(w.inspected) >= w.interval) {
		w.inspected = began
		err = w.inspect(ctx)
	}
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if errors.Is(err, kube.ErrUnreachable) { // nobody knows how the pods are: that time does not count
		w.deadline, err = w.deadline.Add(began.Sub(w.checked)), nil
	}
	w.checked = began
	return ready, err
}

// inspect finds out why the release is not ready, and tells it. An error ends the wait.
func (w *rolloutWatch) inspect(ctx context.Context) error {
	now, err := w.cluster.Rollout(w.task.AsTenant(ctx), w.objects, w.task.Started)
	if err != nil || now.Ready {
		return err
	}
	proved := now.Hopeless != "" && now.Hopeless == w.hopeless // a single inspection may meet what is being mended
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
	text := w.task.Redacted(strings.Join(now.Findings, "\n"))
	if text == "" || text == w.found {
		return
	}
	w.found = text
	w.task.Log.Warn("the release is not ready yet", "found", text, "next", "it is waited for until "+w.deadline.UTC().Format("15:04:05 UTC"))
	w.task.Progress(text)
}
