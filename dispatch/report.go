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

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/text"
)

// The controller's methods that take a Report.
const (
	MethodDeploymentStatus = "ReportWorkloadDeploymentStatusAsync"
	MethodScaleStatus      = "ReportWorkloadScaleStatusAsync"
	MethodProgress         = "ReportWorkloadDeploymentProgressAsync"
)

// reportFile waits in the run directory until the controller has the report, over restarts too.
const reportFile = "report.json"

// Report is what the controller is told of an event, as report.json has it.
type Report struct {
	Method   string          `json:"method"`   // the controller's
	Argument json.RawMessage `json:"argument"` // of the method
	Key      string          `json:"key"`      // the workload
}

// NewReport is a report for a method of the controller; status is its argument.
func NewReport(method string, w hub.Workload, status any) *Report {
	argument, err := json.Marshal(status)
	if err != nil {
		panic(err) // a status is text and numbers
	}
	return &Report{Method: method, Argument: argument, Key: workloadKey(w)}
}

// about is the same for two reports of which the controller needs only the newer one.
func (r Report) about() string { return r.Method + " " + r.Key }

// reports tells the controller how events ended: each once, also after restarts, and nothing that is older than what the controller has. Reports
// that an earlier life has left, on disk or in the cluster, may turn up late.
type reports struct {
	controller Controller
	disk       *disk
	journal    *copies

	mu     sync.Mutex
	newest map[string]reported // by Report.about: the newest of this life
}

// reported is a run whose status was given to the connection.
type reported struct {
	run       string // its id; ids sort in the order of the events
	delivered bool   // the controller has it
}

func newReports(controller Controller, d *disk, c *copies) *reports {
	return &reports{controller: controller, disk: d, journal: c, newest: map[string]reported{}}
}

// report tells the controller how an event has just ended: now, or when it is connected, in this life or the next. A newer report of a workload
// replaces one that was not delivered, because the controller keeps only the last status.
func (rs *reports) report(t *Task, r *Report) {
	content, err := json.Marshal(r)
	if err == nil {
		err = rs.disk.write(func() error { return t.Write(reportFile, content) })
	}
	if err != nil {
		t.Log.Warn("status would not survive a restart", "reason", err, "next", "it is sent as soon as the controller takes it")
	}
	rs.journal.reporting(t.Run, content)
	rs.mu.Lock()
	rs.newest[r.about()] = reported{run: t.ID}
	rs.mu.Unlock()
	rs.send(t.Run, t.Log, *r, func() error { return t.Remove(reportFile) })
}

// sendOlder is report for a status that an earlier life or another operator has left. It is not sent if the controller has it or a newer one.
// forget is called then, or when it is delivered.
func (rs *reports) sendOlder(run *runs.Run, log *slog.Logger, r Report, forget func() error) {
	if rs.waits(r.about(), run.ID) {
		return // this life has made it itself, at its start
	}
	if !rs.advance(r.about(), reported{run: run.ID}) {
		log.Info("status not reported", "reason", errNewerStatus)
		rs.forget(run, log, forget)
		return
	}
	rs.send(run, log, r, forget)
}

var errNewerStatus = errors.New("the controller has it, or gets a newer one")

// waits tells whether a run's status was given to the connection in this life, and is not delivered yet.
func (rs *reports) waits(about, run string) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.newest[about] == reported{run: run}
}

// advance notes a status as the newest one. False, and nothing is noted: the controller has a newer one, or this one.
func (rs *reports) advance(about string, r reported) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if last := rs.newest[about]; r.run < last.run || r.run == last.run && last.delivered {
		return false
	}
	rs.newest[about] = r
	return true
}

// send calls forget when the controller has the report, or will never take it.
func (rs *reports) send(run *runs.Run, log *slog.Logger, r Report, forget func() error) {
	rs.controller.Report(hub.Report{
		Method: r.Method, Arguments: []any{r.Argument}, Key: r.Key,
		Delivered: func(err error) {
			switch {
			case err == nil:
				rs.advance(r.about(), reported{run.ID, true})
				log.Info("status reported")
			case !errors.Is(err, hub.ErrUnsupported):
				log.Warn("status not reported", "reason", err, "next", "the controller shows the old one until the next event")
			}
			rs.forget(run, log, forget)
		},
	})
}

// forget removes what is kept of a report, on disk by the function, and in the cluster.
func (rs *reports) forget(run *runs.Run, log *slog.Logger, fromDisk func() error) {
	if err := fromDisk(); err != nil {
		log.Warn("status may be reported again after a restart", "reason", err, "next", "nothing: the controller bears it twice")
	}
	rs.journal.reported(run)
}

// resume sends what earlier lives could not deliver and have left on this disk, oldest first. inLane finds out in which lane a run is and
// sets it; false: it cannot be told. The error is the disk's.
func (rs *reports) resume(store *runs.Store, log *slog.Logger, inLane func(*runs.Run) bool) error {
	all, err := store.List()
	for _, run := range all {
		content, err := os.ReadFile(run.Path(reportFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var r Report
		if err = errors.Join(err, json.Unmarshal(content, &r)); err != nil {
			log.Error("status not reported", "run", run.ID, "reason", err, "next", "the controller shows the old one until the next event")
			continue
		}
		if inLane(run) {
			rs.journal.reporting(run, content)
		}
		rs.sendOlder(run, log.With("run", run.ID), r, func() error { return run.Remove(reportFile) })
	}
	return err
}

// withdraw drops the deployment status of a workload that an earlier run left and that is not delivered yet.
func (rs *reports) withdraw(run *runs.Run, w hub.Workload) {
	status := Report{Method: MethodDeploymentStatus, Key: workloadKey(w)}
	rs.advance(status.about(), reported{run.ID, true})
	rs.controller.Withdraw(status.Method, status.Key)
}

// ReportPending tells whether a run's directory has a report that the controller does not have.
func ReportPending(run *runs.Run) bool {
	_, err := os.Stat(run.Path(reportFile))
	return err == nil
}

// Withdraw drops an undelivered deployment status of a workload, because this run undoes that deploy.
func (t *Task) Withdraw(w hub.Workload) { t.engine.reports.withdraw(t.Run, w) }

// Progress reports what an event waits for: to the controller, if it is connected, and in Dispatcher.Work.
func (t *Task) Progress(message string) {
	message = bounded(t.Redacted(message))
	t.course.finds(message)
	if t.handler.Progress == nil {
		return
	}
	if r := t.handler.Progress(t.Event, message); r != nil {
		t.engine.reports.controller.Report(hub.Report{Method: r.Method, Key: r.Key, Transient: true, Arguments: []any{r.Argument}})
	}
}

// Message is how an event ended, for the controller's users: the error, or what Say has added. "": it succeeded, and there is nothing to say.
func (t *Task) Message(err error) string {
	message := strings.Join(t.said, "\n")
	if err != nil {
		message = err.Error()
	}
	return bounded(text.PrintableLines(t.Redacted(message)))
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

func bounded(message string) string {
	if len(message) <= maxMessage {
		return message
	}
	return strings.ToValidUTF8(message[:maxMessage], "") + " …"
}
