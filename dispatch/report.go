package dispatch

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"sync"

	"octo-operator/hub"
	"octo-operator/runs"
	"octo-operator/text"
)

const (
	MethodDeploymentStatus = "ReportWorkloadDeploymentStatusAsync"
	MethodScaleStatus      = "ReportWorkloadScaleStatusAsync"
	MethodProgress         = "ReportWorkloadDeploymentProgressAsync"
)

// reportFile waits in the run directory until the controller has the report, over restarts too.
const reportFile = "report.json"

// Report is a status for the controller as it lies on disk.
type Report struct {
	Method   string          `json:"method"`
	Argument json.RawMessage `json:"argument"`
	Key      string          `json:"key"`
}

// about is the same for two reports of which the controller needs only the newer one.
func (r Report) about() string { return r.Method + " " + r.Key }

func NewReport(method string, w hub.Workload, status any) *Report {
	argument, err := json.Marshal(status)
	if err != nil {
		panic(err) // a status is text and numbers
	}
	return &Report{Method: method, Argument: argument, Key: workloadKey(w)}
}

// report tells the controller how an event ended, once: now, or as soon as it is connected, in this life or the next. The
// controller keeps the last status of each workload, so a newer one takes the place of one that could not be delivered.
func (d *Dispatcher) report(t *Task, r *Report) {
	text, err := json.Marshal(r)
	if err == nil {
		err = d.withSpace(func() error { return t.Write(reportFile, text) })
	}
	if err != nil {
		t.Log.Warn("status would not survive a restart", "reason", err)
	}
	d.journal.Reporting(d.journalLane(t.Lane), t.Run, text)
	d.reported.set(r.about(), sent{run: t.ID})
	d.send(t.Run, t.Log, *r, func() error { return t.Remove(reportFile) })
}

// reported is the newest status of each workload that this life has sent. What an earlier life has left, on disk or in the cluster,
// may turn up after it: older than what the controller has, or the same again.
type reported struct {
	mu     sync.Mutex
	newest map[string]sent // by method and workload
}

type sent struct {
	run       string // its id; ids sort in the order of the events
	delivered bool
}

// set notes what is sent for a run that has just ended: it is the newest, whatever came before.
func (r *reported) set(key string, s sent) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.newest[key] = s
}

// advance is set for what may be older. False, and nothing is noted: the controller has a newer status, or this one.
func (r *reported) advance(key string, s sent) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := r.newest[key]; s.run < last.run || s.run == last.run && last.delivered {
		return false
	}
	r.newest[key] = s
	return true
}

// Withdraw drops the deployment status of a workload that still waits: it would tell of a deploy that the run has undone.
func (t *Task) Withdraw(w hub.Workload) {
	status := Report{Method: MethodDeploymentStatus, Key: workloadKey(w)}
	t.engine.reported.advance(status.about(), sent{t.ID, true})
	t.engine.Controller.Withdraw(status.Method, status.Key)
}

// sendLeft is send for what an earlier life has left: nothing that is older than what the controller has.
func (d *Dispatcher) sendLeft(run *runs.Run, log *slog.Logger, r Report, forget func() error) {
	if !d.reported.advance(r.about(), sent{run: run.ID}) {
		log.Debug("status not reported again: the controller has it, or a newer one")
		d.forget(run, log, forget)
		return
	}
	d.send(run, log, r, forget)
}

// send calls forget when the controller has the report, or will never take it.
func (d *Dispatcher) send(run *runs.Run, log *slog.Logger, r Report, forget func() error) {
	d.Controller.Report(hub.Report{
		Method: r.Method, Arguments: []any{r.Argument}, Key: r.Key,
		Delivered: func(err error) {
			switch {
			case err == nil:
				d.reported.advance(r.about(), sent{run.ID, true})
				log.Info("status reported")
			case !errors.Is(err, hub.ErrUnsupported):
				log.Warn("status not reported", "reason", err)
			}
			d.forget(run, log, forget)
		},
	})
}

func (d *Dispatcher) forget(run *runs.Run, log *slog.Logger, forget func() error) {
	if err := forget(); err != nil {
		log.Warn("status may be reported again after a restart", "reason", err)
	}
	d.journal.Reported(d.journalLane(run.Lane), run.ID)
}

// resumeReports sends what an earlier life of the operator could not deliver, oldest first.
func (d *Dispatcher) resumeReports() error {
	all, err := d.Runs.List()
	for _, run := range all {
		text, err := os.ReadFile(run.Path(reportFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var r Report
		if err = errors.Join(err, json.Unmarshal(text, &r)); err != nil {
			d.Log.Error("status not reported", "run", run.ID, "reason", err)
			continue
		}
		if _, _, known := d.known(run); known {
			d.journal.Reporting(d.journalLane(run.Lane), run, text)
		}
		d.sendLeft(run, d.Log.With("run", run.ID), r, func() error { return run.Remove(reportFile) })
	}
	return err
}

func ReportPending(run *runs.Run) bool {
	_, err := os.Stat(run.Path(reportFile))
	return err == nil
}

// Message is how an event ended, as the controller's users may see it; empty for a success of which there is nothing to say.
func (t *Task) Message(err error) string {
	if err == nil {
		return bounded(text.PrintableLines(t.Redact.String(strings.Join(t.said, "\n"))))
	}
	return bounded(text.PrintableLines(t.Redact.String(err.Error())))
}

// workloadKey is the same for two workloads only if they are one: names may hold anything. The name counts in G1 alone; later it
// may change, and the newest status is still the one that counts.
func workloadKey(w hub.Workload) string {
	if w.WorkloadRtID != "" {
		return fmt.Sprintf("%q %q", w.TenantID, w.WorkloadRtID)
	}
	return fmt.Sprintf("%q name %q", w.TenantID, w.WorkloadName)
}

// maxMessage bounds a message to the controller in bytes: ASP.NET Core closes the connection on a frame above 32 KiB, and
// JSON may make six bytes of one.
const maxMessage = 5000

func bounded(text string) string {
	if len(text) <= maxMessage {
		return text
	}
	return strings.ToValidUTF8(text[:maxMessage], "") + " …"
}

// Progress tells the controller what an event waits for.
func (t *Task) Progress(message string) {
	if t.handler.Progress == nil {
		return
	}
	if r := t.handler.Progress(t.Event, bounded(t.Redact.String(message))); r != nil {
		t.engine.Controller.Report(hub.Report{Method: r.Method, Key: r.Key, Transient: true, Arguments: []any{r.Argument}})
	}
}
