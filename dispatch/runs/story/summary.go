package story

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/hub"
	"octo-operator/names"
)

// Outcome is how a run ended, or what it does now: one of runs.Outcome, or one of those below.
type Outcome = runs.Outcome

// Outcomes of runs that have not ended, and of those of which it is not known whether they have.
const (
	Running    Outcome = "running"
	Waiting    Outcome = "waiting"    // for a slot, pods or the next try, for example: Reason says for what
	Unreadable Outcome = "unreadable" // its result is damaged: Reason says how
)

// Summary is what a list shows of a run.
type Summary struct {
	ID        string     `json:"id"`      // the name of its directory
	ShortID   string     `json:"shortId"` // as in the log
	Outcome   Outcome    `json:"outcome"`
	Callback  string     `json:"callback,omitempty"` // one of hub.Callbacks; "": not known
	Tenant    string     `json:"tenant,omitempty"`
	Workload  string     `json:"workload,omitempty"`
	Pool      string     `json:"pool,omitempty"`      // its id within the tenant
	Release   string     `json:"release,omitempty"`   // of a workload
	Namespace string     `json:"namespace,omitempty"` // "": not known yet
	Came      time.Time  `json:"came"`                // zero: not known
	Started   *time.Time `json:"started,omitempty"`   // if the run has ended: when the last life of the operator began to work on it
	Ended     *time.Time `json:"ended,omitempty"`
	Seconds   float64    `json:"seconds"`          // from Started to Ended; if it has not ended, since it came
	Reason    string     `json:"reason,omitempty"` // why it did not succeed, what it waits for, or what it does now
	Phase     string     `json:"phase,omitempty"`  // if it runs: one of runs.Phase…
	Wait      string     `json:"wait,omitempty"`   // if it waits: one of runs.Wait…
	Until     *time.Time `json:"until,omitempty"`  // if it waits for its next try: when that is due
	Dir       string     `json:"dir"`
	Damaged   []string   `json:"damaged,omitempty"` // which files cannot be read, and why
}

// RandomEnd is runs.Run.RandomEnd of the run.
func (s Summary) RandomEnd() string { return (&runs.Run{ID: s.ID}).RandomEnd() }

// Summarize reads what a list shows of a run. It never fails: what cannot be read is in Damaged.
func Summarize(run *runs.Run, now time.Time) Summary {
	s, _, _ := summarize(run, now)
	return s
}

// summarize also returns the event without its secrets, and the result; nil: it has not ended.
func summarize(run *runs.Run, now time.Time) (Summary, hub.Event, *runs.Result) {
	s := Summary{ID: run.ID, ShortID: run.ShortID(), Came: run.Created(), Dir: run.Dir}
	s.Callback, _ = run.Named()
	event := s.addEvent(run)
	result := s.addResult(run)
	if result == nil && s.Outcome != Unreadable {
		s.addProgress(run, now)
	}
	return s, event, result
}

// addEvent adds the event's tenant, workload, release and pool.
func (s *Summary) addEvent(run *runs.Run) hub.Event {
	event, err := readEvent(run)
	if err != nil {
		s.damaged("event.json", err)
		return event
	}
	if slices.Contains(hub.Callbacks, event.Callback) {
		s.Callback = event.Callback
	}
	w, err := hub.Decode[hub.Workload](event.Argument)
	if err != nil {
		s.damaged("event.json", err)
	}
	s.Tenant, s.Workload, s.Pool = w.TenantID, w.WorkloadName, w.ID()
	inputs := Inputs(run)
	s.Namespace = inputs["OCTO_NAMESPACE"]
	if strings.HasPrefix(s.Callback, "Pool") || s.Callback == hub.PreUpdateTenant {
		return event
	}
	s.Release = inputs["OCTO_RELEASE"] // the name is another one than usual if the reference operator has made the release
	if s.Release == "" {
		s.Release, _ = names.DNSName(w.TenantID, names.NameOrID(w)) // "" if there is none
	}
	return event
}

// addResult adds how the run ended.
func (s *Summary) addResult(run *runs.Run) *runs.Result {
	var result runs.Result
	err := readJSON(run.Path("result.json"), maxResult, &result)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !slices.Contains([]Outcome{runs.Succeeded, runs.Failed, runs.Superseded}, result.Outcome) {
		err = errors.New("it has no known outcome")
	}
	if err != nil {
		s.damaged("result.json", err)
		s.Outcome, s.Reason = Unreadable, "result.json cannot be read: "+err.Error()
		return nil
	}
	s.Outcome, s.Reason, s.Seconds = result.Outcome, result.Reason, result.Seconds
	s.Started, s.Ended = &result.Started, &result.Ended
	return &result
}

// addProgress adds what an unfinished run does: by the last moment of its timeline, or if there is none, by whether an operator works on
// it.
func (s *Summary) addProgress(run *runs.Run, now time.Time) {
	if !s.Came.IsZero() {
		s.Seconds = max(0, now.Sub(s.Came).Seconds())
	}
	last := lastState(run.Timeline())
	switch {
	case last.Kind == runs.KindWait:
		s.Outcome, s.Wait, s.Until, s.Reason = Waiting, last.Name, last.Until, WaitWords(last)
	case last.Kind == runs.KindPhase:
		s.Outcome, s.Phase, s.Reason = Running, last.Name, PhaseWords(last.Name)
	case last.Kind == runs.KindStopped:
		s.Outcome, s.Reason = Waiting, "the operator has ended: its next life, or another operator, goes on"
	case len(run.CrashNotes()) > 0:
		s.Outcome = Running
	default:
		s.Outcome, s.Reason = Waiting, "not begun yet"
	}
}

// lastState returns the last moment that says what a run does; the zero one if there is none.
func lastState(timeline []runs.Moment) runs.Moment {
	states := []runs.Kind{runs.KindPhase, runs.KindWait, runs.KindStopped, runs.KindResumed, runs.KindAccepted}
	for _, m := range slices.Backward(timeline) {
		if slices.Contains(states, m.Kind) {
			return m
		}
	}
	return runs.Moment{}
}

func (s *Summary) damaged(file string, err error) {
	s.Damaged = append(s.Damaged, file+": "+err.Error())
}

// readEvent reads the event and removes its secrets, which are in the file until the run has ended.
func readEvent(run *runs.Run) (hub.Event, error) {
	var event hub.Event
	if err := readJSON(run.Path("event.json"), maxEvent, &event); err != nil {
		return hub.Event{}, err
	}
	if len(event.Argument) == 0 {
		event.Argument = json.RawMessage("null")
	}
	callback := event.Callback
	if !slices.Contains(hub.Callbacks, callback) { // an unknown callback may have the same secrets as a deploy
		event.Callback = hub.WorkloadDeployedCallback
	}
	clean, _ := event.WithoutSecrets()
	clean.Callback = callback
	return clean, nil
}

// Matches tells whether a run belongs to the release, workload or pool that a person calls what: by name or runtime id, in any case. The
// events of a pool's workloads do not belong to the pool.
func (s Summary) Matches(what string) bool {
	called := []string{s.Release, s.Workload, s.idOfRelease()}
	if s.Release == "" {
		called = []string{s.Pool}
	}
	return what != "" && slices.ContainsFunc(called, func(name string) bool { return strings.EqualFold(name, what) })
}

// idOfRelease returns the runtime id after which the release is named; "": it is not named after one.
func (s Summary) idOfRelease() string {
	if id := s.Release[strings.LastIndexByte(s.Release, '-')+1:]; hub.IsRtID(id) {
		return id
	}
	return ""
}
