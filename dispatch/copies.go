package dispatch

import (
	"context"
	"strings"

	"octo-operator/dispatch/journal"
	"octo-operator/dispatch/runs"
)

// copies are those of unfinished events and reports in the cluster. Each lies in the namespace in which the secrets of its event lie anyway.
type copies struct {
	*journal.Journal  // nil: events are kept on disk alone
	poolNamespace     string
	platformNamespace string
}

// lane is the journal's lane of that name: its copies are where its release is. Lanes of pools and tenants are in the pool namespace.
func (c *copies) lane(name string) journal.Lane {
	namespace := c.poolNamespace
	if first, _, _ := strings.Cut(name, "/"); first == c.platformNamespace {
		namespace = first
	}
	return journal.Lane{Name: name, Namespace: namespace}
}

// add makes a copy of a run that is queued, some time.
func (c *copies) add(run *runs.Run) { c.Add(c.lane(run.Lane), run) }

// reporting puts a report in place of the run's event: that has ended, and the controller does not know yet.
func (c *copies) reporting(run *runs.Run, report []byte) { c.Reporting(c.lane(run.Lane), run, report) }

// reported removes the copy of a run's report.
func (c *copies) reported(run *runs.Run) { c.Reported(c.lane(run.Lane), run.ID) }

// finished removes the copy of a run's event.
func (c *copies) finished(run *runs.Run) { c.Finished(c.lane(run.Lane), run.ID) }

// begun returns when the copy says that the run is worked on.
func (c *copies) begun(ctx context.Context, run *runs.Run) error {
	return c.CopyNotes(ctx, c.lane(run.Lane))
}

// paused takes begun back, some time.
func (c *copies) paused(run *runs.Run) { c.NotesChanged(c.lane(run.Lane)) }
