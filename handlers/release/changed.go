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

// ChangesFile is the file in a run directory that shows what the deploy changes in the cluster, object by object, or says why that is not known.
// It holds no secrets.
const ChangesFile = "changes.diff"

// longestComparison is how long helm's first write waits until the objects are compared with the live ones. They are compared during kubectl's
// dry run and helm's start, so usually it does not wait.
const longestComparison = 2 * time.Second

var errTooSlow = errors.New("the API server did not answer about all objects within " + longestComparison.String() + ", and helm was not to wait longer")

// comparison compares the live objects with what a deploy makes of them, while the deploy's script runs: after the chart is rendered, and before
// helm changes anything. The deploy goes on whatever it finds.
type comparison struct {
	deployment *Deployment
	ctx        context.Context
	stop       context.CancelCauseFunc

	begin sync.Once
	done  chan struct{} // closed when result and err are there
	found compared
	err   error
}

// watchChanges prepares the comparison, which starts when the manifest is there. end must be called when the script has ended.
func (d *Deployment) watchChanges(ctx context.Context) *comparison {
	c := &comparison{deployment: d, done: make(chan struct{})}
	c.ctx, c.stop = context.WithCancelCause(ctx)
	return c
}

// announced is called for each command of the script. The first one that is not "helm template" runs when the manifest is there and was checked.
func (c *comparison) announced(command string) {
	if !strings.Contains(command, "helm template ") && c.deployment.task.Has(ManifestFile) {
		c.start()
	}
}

// start begins to compare, the first time that it is called.
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

// beforeWrite waits until the objects are compared, at most longestComparison: after that they are changed.
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

// recallChanges takes the result of an earlier try of the event, which may have made some of the changes already. False: there is none.
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
