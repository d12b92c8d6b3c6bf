package handlers

import (
	"context"
	"strings"
	"time"

	"octo-operator/hub"
)

// lookInterval is how often a release's pods are looked at while helm waits for them. A deploy that is faster is not
// slowed down by it.
const lookInterval = 3 * time.Second

// watchProgress looks at a release's pods while a deploy runs, tells the controller what it finds, and returns the last
// finding when stopped: helm itself only says that its time was up.
func (h *Handlers) watchProgress(ctx context.Context, t *task, w hub.WorkloadDeployed, r release) (stop func() string) {
	ctx, cancel := context.WithCancel(ctx)
	last := make(chan string, 1)
	go func() { last <- h.lookUntil(ctx, t, w, r) }()
	return func() string {
		cancel()
		return <-last
	}
}

func (h *Handlers) lookUntil(ctx context.Context, t *task, w hub.WorkloadDeployed, r release) (last string) {
	began := time.Now()
	for {
		select {
		case <-time.After(lookInterval):
		case <-ctx.Done():
			return last
		}
		found, err := h.kubectl.Findings(ctx, r.namespace, r.name, began)
		if err != nil {
			if ctx.Err() == nil {
				t.log.Debug("pods not looked at", "reason", err)
			}
			continue
		}
		text := t.redact.String(strings.Join(found, "\n"))
		if text == "" || text == last {
			continue
		}
		last = text
		t.log.Warn("the release is not ready yet", "found", text)
		h.controller.Report(hub.Report{
			Method: methodProgress, Key: workloadKey(w.Workload), Transient: true,
			Arguments: []any{hub.WorkloadDeploymentProgress{
				TenantID: w.TenantID, WorkloadName: w.WorkloadName, WorkloadRtID: w.WorkloadRtID, Message: bounded(text),
			}},
		})
	}
}
