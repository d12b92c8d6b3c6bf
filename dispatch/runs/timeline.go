package runs

import (
	"bufio"
	"encoding/json"
	"io"
	"time"
)

// timelineFile has one Moment per line, as JSON, the oldest first.
const timelineFile = "timeline.jsonl"

// Moment is something that happened while a run was carried out. People read it later: in "octo-operator runs show", on the status page, as
// metrics and as traces. It holds no secrets.
type Moment struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	Name string    `json:"name,omitempty"` // see Kind
	Text string    `json:"text,omitempty"` // in words: what is waited for, why it failed; for people

	Until    *time.Time `json:"until,omitempty"`    // of KindWait: when the next try is due
	ExitCode *int       `json:"exitCode,omitempty"` // of KindExit: -1 if the script did not end by itself
	CPU      float64    `json:"cpu,omitempty"`      // of KindExit, in seconds: of all processes of the script, but those that it did not wait for
	Memory   int64      `json:"memory,omitempty"`   // of KindExit, in bytes: the most that one of its processes had; see exec.Result
}

// Kind of a Moment.
type Kind string

// The kinds. A phase, script or wait lasts until the next moment of the kinds phase, wait, stopped, or end; a script until its exit.
const (
	KindAccepted Kind = "accepted" // the event is on disk
	KindResumed  Kind = "resumed"  // a life of the operator takes up what an earlier one, or another operator, has accepted
	KindPhase    Kind = "phase"    // Name is the phase that begins: one of the Phases
	KindScript   Kind = "script"   // Name is the script that begins, such as workload-deploy
	KindCommand  Kind = "command"  // Name is the command line that a script runs, for a shell
	KindExit     Kind = "exit"     // Name is the script that has ended
	KindWait     Kind = "wait"     // Name is one of the Waits: the event has given up its slot, or waits for one
	KindStopped  Kind = "stopped"  // the operator ends; its next life, or another operator, goes on
	KindEnd      Kind = "end"      // Name is the outcome, Text its reason
	KindCut      Kind = "cut"      // moments are left out here: the timeline would be too large
)

// Phases of a run, in their usual order. Those of other events than deploys are PhaseRun alone.
const (
	PhaseLook     = "look"     // whose release it is, and what the cluster has of it
	PhaseChart    = "chart"    // get the chart; what the look has asked the cluster for comes meanwhile
	PhaseValues   = "values"   // merge the values, write the files
	PhaseCheck    = "check"    // render the chart and try it without changing anything
	PhaseInstall  = "install"  // helm upgrade
	PhaseReady    = "ready"    // until the pods are ready
	PhaseSettle   = "settle"   // restart what uses a changed Secret, mark the revision
	PhaseRollback = "rollback" // take back what has failed, or what a helm that was killed has left
	PhaseRun      = "run"      // the script of another callback
)

// What an event waits for.
const (
	WaitLane   = "lane"   // the event before it, of the same release or pool
	WaitSlot   = "slot"   // all slots are taken
	WaitTenant = "tenant" // the tenant's update, or what the tenant has in flight
	WaitLeader = "leader" // this operator may not work at the moment: its Lease is not renewed
	WaitCopy   = "copy"   // the API server does not have the event's copy yet
	WaitPods   = "pods"   // pods that are not ready
	WaitRetry  = "retry"  // the next try: something was away; Until says when
)

// Waits are all that an event may wait for.
var Waits = []string{WaitLane, WaitSlot, WaitTenant, WaitLeader, WaitCopy, WaitPods, WaitRetry}

// maxMoment is the longest line of a timeline in bytes that is read.
const maxMoment = 1 << 20

// Timeline reads what has happened to the run so far. A run of an older version may have none. Lines that cannot be read are left out: the
// operator may have been killed while it wrote one.
func (r *Run) Timeline() []Moment {
	f, _, err := OpenFile(r.Path(timelineFile))
	if err != nil {
		return nil
	}
	defer f.Close()
	var all []Moment
	lines := bufio.NewScanner(io.LimitReader(f, 2*maxTimeline)) // a larger one is none that was recorded
	lines.Buffer(nil, maxMoment)
	for lines.Scan() {
		var m Moment
		if json.Unmarshal(lines.Bytes(), &m) == nil && m.Kind != "" {
			all = append(all, m)
		}
	}
	return all
}
