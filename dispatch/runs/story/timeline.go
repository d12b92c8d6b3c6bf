package story

import (
	"time"

	"octo-operator/dispatch/runs"
)

// Step is a moment of a run with the time that it took.
type Step struct {
	runs.Moment         // a script's Text, ExitCode, CPU and Memory are those of its exit, which is no step of its own
	Seconds     float64 `json:"seconds"`        // how long it lasted; 0: it is an instant
	Open        bool    `json:"open,omitempty"` // it still lasts; Seconds are until now
}

// steps are the moments of a timeline with their durations. What has not ended lasts until end; it is still open if the run has not ended.
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

// lasting knows which steps last at a moment. Its indexes are those of steps.
type lasting struct {
	steps   []Step
	scripts map[string]int
	state   int // the phase or the wait
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
		if m.Kind != runs.KindPhase && m.Kind != runs.KindWait { // what a script does may be of several phases
			for _, script := range l.scripts { // whose exits are missing: the operator was killed
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

// exit ends a script, which takes over what its exit says.
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

// seconds are not negative: clocks are set back.
func seconds(from, to time.Time) float64 { return max(0, to.Sub(from).Seconds()) }
