package handlers

import (
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"octo-operator/hub"
	"octo-operator/runs"
)

const (
	methodDeploymentStatus = "ReportWorkloadDeploymentStatusAsync"
	methodScaleStatus      = "ReportWorkloadScaleStatusAsync"
	methodProgress         = "ReportWorkloadDeploymentProgressAsync"
)

// reportFile waits in the run directory until the controller has the report, over restarts too.
const reportFile = "report.json"

// report is a status for the controller as it lies on disk.
type report struct {
	Method   string          `json:"method"`
	Argument json.RawMessage `json:"argument"`
	Key      string          `json:"key"`
}

// report tells the controller how an event of a workload ended. The controller keeps the last status of each workload, so
// a newer one takes the place of one that could not be delivered.
func (h *Handlers) report(t *task, method string, w hub.Workload, status any, success bool) {
	argument, err := json.Marshal(status)
	if err != nil {
		t.log.Error("status not reported", "reason", err)
		return
	}
	r := report{Method: method, Argument: argument, Key: workloadKey(w)}
	text, err := json.Marshal(r)
	if err = errors.Join(err, t.Write(reportFile, text)); err != nil {
		t.log.Warn("status would not survive a restart", "reason", err)
	}
	h.send(t.Run, t.log.With("success", success), r)
}

func (h *Handlers) send(run *runs.Run, log *slog.Logger, r report) {
	h.controller.Report(hub.Report{
		Method: r.Method, Arguments: []any{r.Argument}, Key: r.Key,
		Delivered: func(err error) {
			switch {
			case err == nil:
				log.Info("status reported")
			case !errors.Is(err, hub.ErrUnsupported):
				log.Warn("status not reported", "reason", err)
			}
			if err := run.Remove(reportFile); err != nil {
				log.Warn("status may be reported again after a restart", "reason", err)
			}
		},
	})
}

// resumeReports sends what an earlier life of the operator could not deliver, oldest first.
func (h *Handlers) resumeReports() error {
	all, err := h.runs.List()
	for _, run := range all {
		text, err := os.ReadFile(run.Path(reportFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var r report
		if err = errors.Join(err, json.Unmarshal(text, &r)); err != nil {
			h.log.Error("status not reported", "run", run.ID, "reason", err)
			continue
		}
		h.send(run, h.log.With("run", run.ID), r)
	}
	return err
}

func reportPending(run *runs.Run) bool {
	_, err := os.Stat(run.Path(reportFile))
	return err == nil
}

// message is an error as the controller's users may see it.
func (h *Handlers) message(t *task, err error) string {
	if err == nil {
		return ""
	}
	return bounded(t.redact.String(err.Error()))
}

func workloadKey(w hub.Workload) string {
	return w.TenantID + "/" + w.WorkloadRtID + "/" + w.WorkloadName
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
