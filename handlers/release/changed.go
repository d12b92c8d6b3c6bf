package release

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"

	"octo-operator/handlers/release/changes"
	"octo-operator/text"
)

// ChangesFile tells in a run directory what the deploy changes in the cluster, object by object, or why that is not known. It holds no secrets.
const ChangesFile = "changes.diff"

// longestComparison is how long helm waits before it changes anything, until the objects are compared with what they were: they are compared beside
// its start, and beside kubectl's dry run before, so usually it does not wait.
const longestComparison = 2 * time.Second

var errTooSlow = errors.New("the API server did not answer about all objects within " + longestComparison.String() + ", and helm was not to wait longer")

// comparison compares the cluster with what a deploy makes of it while the deploy's script runs: from when the chart is rendered, and before helm
// changes anything. Whatever it finds or not, the deploy goes on.
type comparison struct {
	deployment *Deployment
	ctx        context.Context
	stop       context.CancelCauseFunc

	begin sync.Once
	done  chan struct{} // closed when result and err are there
	found compared
	err   error
}

// watchChanges begins to wait for the manifest. end is to be called when the script has ended.
func (d *Deployment) watchChanges(ctx context.Context) *comparison {
	c := &comparison{deployment: d, done: make(chan struct{})}
	c.ctx, c.stop = context.WithCancelCause(ctx)
	return c
}

// announced takes a command of the script. The first one that is no "helm template" runs when the manifest is there and was looked at.
func (c *comparison) announced(command string) {
	if !strings.Contains(command, "helm template ") && c.deployment.task.Has(ManifestFile) {
		c.start()
	}
}

// start begins to compare, once.
func (c *comparison) start() {
	c.begin.Do(func() { go c.run() })
}

func (c *comparison) run() {
	defer close(c.done)
	d, began := c.deployment, time.Now()
	manifest, err := readManifest(d.task.Path(ManifestFile))
	if err == nil {
		c.found, err = d.compare(c.ctx, manifest)
	}
	if c.err = err; err != nil {
		d.task.Log.Debug("objects not compared", "reason", d.task.Redacted(err.Error()))
		return
	}
	d.task.Log.Debug("objects compared", "objects", len(c.found.Changes), "took", time.Since(began).Round(10*time.Microsecond).String())
	if c.found.Any() {
		d.task.Progress(c.found.Summary)
	}
}

// beforeWrite waits until the objects are compared, for longestComparison at most: from now on they are no longer what they were.
func (c *comparison) beforeWrite(ctx context.Context) {
	c.start()
	select {
	case <-c.done:
		return
	default:
	}
	select {
	case <-c.done:
	case <-ctx.Done():
	case <-time.After(longestComparison):
		c.stop(errTooSlow)
	}
}

// end writes what was found into the run directory.
func (c *comparison) end(ctx context.Context) {
	defer c.stop(nil)
	never := false
	c.begin.Do(func() { never = true }) // it is too late
	if never {
		c.deployment.noteChanges(changes.Report{}, errors.New("the chart was not rendered"))
		return
	}
	c.beforeWrite(ctx)
	<-c.done
	c.deployment.noteChanges(c.found.Report, c.err)
}

const unknownChanges = "not known: "

// recallChanges takes what an earlier try of the event has found: that one may have changed some of it already, so only it knows how things were.
// False: it does not.
func (d *Deployment) recallChanges() bool {
	found, err := os.ReadFile(d.task.Path(ChangesFile))
	summary, _, _ := strings.Cut(string(found), "\n")
	if err != nil || summary == "" || strings.HasPrefix(summary, unknownChanges) {
		return false
	}
	d.task.Changes = summary
	return true
}

// noteChanges writes what a deploy changes into its run directory, or why that is not known, and notes it for the log. A disk that is full is no
// reason to fail.
func (d *Deployment) noteChanges(r changes.Report, unknown error) {
	t := d.task
	t.Changes = r.Summary
	if unknown != nil {
		t.Changes = ""
		r.Text = unknownChanges + text.PrintableLines(t.Redacted(unknown.Error())) + "\n"
	}
	if err := t.Write(ChangesFile, []byte(r.Text)); err != nil {
		t.Log.Warn("what the deploy changes is not kept", "reason", err, "next", "the deploy goes on")
	}
}
