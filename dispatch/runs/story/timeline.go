package story

import (
	"time"

	"octo-operator/dispatch/runs"
)

// Step is a moment of a run with the time that it took.
type Step struct {
	runs.Moment         // a script has the Text, ExitCode, CPU and Memory of its exit, which is not a step itself
	Seconds     float64 `json:"seconds"`        // how long it lasted; 0: it has no duration
	Open        bool    `json:"open,omitempty"` // it has not ended: Seconds are until now
}

// steps returns the moments of a timeline with their durations. Steps that have not ended last until end, and are open if the run has not
// ended.
func steps(timeline []runs.Moment, end time.Time, ended bool) []Step {
	lasting := lasting{scripts: map[string]int{}, state: none, command: none}
	for _, m := range timeline {
		lasting.take(m)
	}
	for i := range lasting.steps {
		if s := &lasting.steps[i]; s.Open {
			s.Seconds, s.Open = seconds(s.Time, end), !ended
		}
	}
	return lasting.steps
}

// lasting knows which steps have not ended yet, by their indexes in steps.
type lasting struct {
	steps   []Step
	scripts map[string]int
	state   int // a phase or a wait
	command int
}

const none = -1

func (l *lasting) take(m runs.Moment) {
	s := Step{Moment: m}
	at := len(l.steps)
	l.end(l.command, m.Time)
	l.command = none
	switch m.Kind {
	case runs.KindPhase, runs.KindWait, runs.KindStopped, runs.KindResumed, runs.KindEnd:
		l.end(l.state, m.Time)
		l.state = none
		if m.Kind != runs.KindPhase && m.Kind != runs.KindWait { // a script may go on in the next phase
			for _, script := range l.scripts { // their exits are missing because the operator was killed
				l.end(script, m.Time)
			}
			clear(l.scripts)
		}
		if s.Open = m.Kind == runs.KindPhase || m.Kind == runs.KindWait; s.Open {
			l.state = at
		}
	case runs.KindScript:
		l.scripts[m.Name], s.Open = at, true
	case runs.KindCommand:
		l.command, s.Open = at, true
	case runs.KindExit:
		if script, begun := l.scripts[m.Name]; begun {
			l.exit(script, m)
			delete(l.scripts, m.Name)
			return
		}
	}
	l.steps = append(l.steps, s)
}

// exit ends a script, and copies to it what its exit has.
func (l *lasting) exit(script int, m runs.Moment) {
	s := &l.steps[script]
	s.Text, s.ExitCode, s.CPU, s.Memory = m.Text, m.ExitCode, m.CPU, m.Memory
	l.end(script, m.Time)
}

func (l *lasting) end(step int, at time.Time) {
	if step == none {
		return
	}
	s := &l.steps[step]
	s.Seconds, s.Open = seconds(s.Time, at), false
}

// seconds is never negative, although a clock may be set back.
func seconds(from, to time.Time) float64 { return max(0, to.Sub(from).Seconds()) }
