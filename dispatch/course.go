package dispatch

import (
	"sync"
	"time"

	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/names"
)

// unfinished holds the course of each event that is not finished. Moments are written to the timelines, and told to Observe, in the background:
// no event waits for that.
type unfinished struct {
	observe func(Happening)

	mu      sync.Mutex
	all     map[string]*course // by the run's id
	changed []*course          // that have something to write
	writing bool               // a goroutine writes them
}

func newUnfinished(observe func(Happening)) *unfinished {
	return &unfinished{observe: observe, all: map[string]*course{}}
}

// add is the course of an event that is queued, or is to be.
func (u *unfinished) add(run *runs.Run, where Place) *course {
	u.mu.Lock()
	defer u.mu.Unlock()
	c := u.all[run.ID]
	if c == nil {
		c = u.courseOf(run)
		c.where, c.since, c.waits = where, time.Now(), runs.WaitSlot
		u.all[run.ID] = c
	}
	return c
}

// course returns the course that was added for a run, or a new one for a run that is ended without having been queued.
func (u *unfinished) course(run *runs.Run) *course {
	u.mu.Lock()
	defer u.mu.Unlock()
	if c := u.all[run.ID]; c != nil {
		return c
	}
	return u.courseOf(run)
}

func (u *unfinished) courseOf(run *runs.Run) *course {
	return &course{of: u, run: run, callback: run.Callback, lane: run.Lane}
}

func (u *unfinished) list() []*course {
	u.mu.Lock()
	defer u.mu.Unlock()
	all := make([]*course, 0, len(u.all))
	for _, c := range u.all {
		all = append(all, c)
	}
	return all
}

func (u *unfinished) remove(run *runs.Run) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.all, run.ID)
}

// hasChanged lets what has happened be written.
func (u *unfinished) hasChanged(c *course) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.changed = append(u.changed, c)
	if !u.writing {
		u.writing = true
		go u.write()
	}
}

// write ends when there is nothing more to write.
func (u *unfinished) write() {
	for {
		u.mu.Lock()
		changed := u.changed
		u.changed = nil
		u.writing = len(changed) > 0
		u.mu.Unlock()
		if len(changed) == 0 {
			return
		}
		for _, c := range changed {
			c.write()
		}
	}
}

// course follows an event from its acceptance to its end: its phase and wait now, and the moments that its timeline does not have yet. A nil
// course belongs to no event.
type course struct {
	of             *unfinished
	run            *runs.Run
	callback, lane string // the run's

	mu      sync.Mutex
	where   Place
	begun   bool // it is carried out: what its lane has it wait for is over
	phase   string
	paused  bool // it has waited in its phase, which goes on with the next script
	waits   string
	text    string
	until   *time.Time
	since   time.Time
	pending []Happening // not written yet
	due     bool        // hasChanged was called for them

	writing sync.Mutex // one at a time, in order
}

// now is the event as it is now.
func (c *course) now() Work {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Work{
		ID: c.run.ID, Callback: c.callback, Tenant: c.where.tenantShown(), Workload: c.where.Workload, Release: c.where.Release, Lane: c.lane,
		Came: c.run.Created(), Since: c.since, Phase: c.phase, Wait: c.waits, Text: c.text, Until: c.until,
	}
}

// note is for moments that change neither phase nor wait.
func (c *course) note(m runs.Moment) {
	if c == nil {
		return
	}
	c.mu.Lock()
	if m.Kind == runs.KindScript && c.paused { // its phase goes on
		c.resumePhase()
	}
	due := c.happens(m, Final)
	c.mu.Unlock()
	if due {
		c.of.hasChanged(c)
	}
}

// happens records a moment; c.mu is held. If it returns true, hasChanged must be called, without c.mu.
func (c *course) happens(m runs.Moment, cause RetryCause) bool {
	if m.Time.IsZero() {
		m.Time = time.Now()
	}
	c.pending = append(c.pending, Happening{
		Run: c.run, Callback: c.callback, Tenant: c.where.tenantShown(), Workload: c.where.Workload, Release: c.where.Release, Moment: m, Cause: cause,
	})
	due := !c.due
	c.due = true
	return due
}

func (c *course) resumePhase() {
	c.paused = false
	c.goesOn()
	if c.phase != "" {
		c.happens(runs.Moment{Kind: runs.KindPhase, Name: c.phase}, Final)
	}
}

// begin is called when the event gets its turn.
func (c *course) begin() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.begun = true
	c.goesOn()
}

// enters is called when a phase begins. If the event is in that phase already, nothing is recorded.
func (c *course) enters(phase string, r names.Release) {
	if c == nil {
		return
	}
	c.mu.Lock()
	due := false
	if r.Name != "" {
		c.where.Release = r.Name
	}
	if phase != c.phase || c.paused {
		c.phase, c.paused = phase, false
		c.goesOn()
		c.since = time.Now()
		due = c.happens(runs.Moment{Kind: runs.KindPhase, Name: phase}, Final)
	}
	c.mu.Unlock()
	if due {
		c.of.hasChanged(c)
	}
}

// wait is called when the event begins to wait. cause is why it is tried again; Final: it waits for something else.
func (c *course) wait(m runs.Moment, cause RetryCause) {
	if c == nil {
		return
	}
	m.Kind = runs.KindWait
	c.mu.Lock()
	c.waits, c.text, c.until, c.since = m.Name, m.Text, m.Until, time.Now()
	c.paused = true
	due := c.happens(m, cause)
	c.mu.Unlock()
	if due {
		c.of.hasChanged(c)
	}
}

// finds is called when more is known of what the event waits for, such as what is wrong with its pods. It is recorded, so that runs show has it
// too.
func (c *course) finds(text string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	due := false
	if c.waits != "" && text != c.text {
		c.text = text
		if c.waits == runs.WaitPods { // of the next try the timeline has all already
			due = c.happens(runs.Moment{Kind: runs.KindWait, Name: c.waits, Text: text}, Final)
		}
	}
	c.mu.Unlock()
	if due {
		c.of.hasChanged(c)
	}
}

// waitsInLane is called when what the event waits for changes before its turn.
func (c *course) waitsInLane(w queue.Wait) {
	c.mu.Lock()
	begun := c.begun
	c.mu.Unlock()
	if !begun {
		c.wait(runs.Moment{Name: w.For, Text: w.Text}, Final)
	}
}

// goOn is called when the wait is over.
func (c *course) goOn() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.goesOn()
}

// goesOn is goOn with mu held.
func (c *course) goesOn() {
	if c.waits != "" {
		c.waits, c.text, c.until, c.since = "", "", nil, time.Now()
	}
}

// stops is called when the operator ends before the event has.
func (c *course) stops() {
	c.note(runs.Moment{Kind: runs.KindStopped, Text: "the operator ends: the event will be resumed"})
	c.write()
}

// ends is called when the event is finished, before its result is written: so a run with a result has its whole timeline.
func (c *course) ends(result runs.Result) {
	if c == nil {
		return
	}
	c.note(runs.Moment{Time: result.Ended, Kind: runs.KindEnd, Name: string(result.Outcome), Text: result.Reason})
	c.write()
	c.of.remove(c.run)
}

// write writes what has happened, and tells it.
func (c *course) write() {
	if c == nil {
		return
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	c.mu.Lock()
	pending := c.pending
	c.pending, c.due = nil, false
	c.mu.Unlock()
	if len(pending) == 0 {
		return
	}
	moments := make([]runs.Moment, len(pending))
	for i, h := range pending {
		moments[i] = h.Moment
	}
	c.run.Record(moments...)
	for _, h := range pending {
		c.of.observe(h)
	}
}
