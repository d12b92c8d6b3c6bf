package runs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// begunFile has a line for this life of the operator while it works on the run, and one for each that ended while it did.
	begunFile = "begun"
	// maxLives is how many may end so: an event that crashes the operator must not do it to all others for ever.
	maxLives = 3
)

// Begin notes that the operator works on the run from now on, until Pause: if it ends meanwhile, however it ends, the note
// stays. Begin fails if three earlier lives have left theirs: the event might be what ends the operator. It may be called
// again before Pause. The note survives the process, not the disk: see Inherit.
//
// Begin and Pause of a run are not for several goroutines at a time.
func (r *Run) Begin() error {
	if r.begun {
		return nil
	}
	notes, err := os.OpenFile(r.Path(begunFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("cannot begin run %s: %w", r.ID, err)
	}
	defer notes.Close()
	earlier, err := io.ReadAll(notes)
	if lives := bytes.Count(earlier, []byte("\n")); lives >= maxLives {
		return fmt.Errorf("the operator ended %d times while it worked on this event, so it is not tried again: "+
			"look into %s for what it was doing, mend the cause and send the event again", lives, r.Dir)
	}
	if err == nil {
		_, err = fmt.Fprintln(notes, time.Now().UTC().Format(time.RFC3339))
	}
	if err != nil {
		return fmt.Errorf("cannot begin run %s: %w", r.ID, err)
	}
	r.begun, r.earlier = true, int64(len(earlier))
	return nil
}

// lookAtDeaths is how long a run that was not tried again because the operator ended maxLives times with it is kept whatever else goes: it
// is the only trace of what ended the operator.
const lookAtDeaths = 24 * time.Hour

// endedOperators tells whether the run was not tried again because of that.
func (r *Run) endedOperators() bool { return bytes.Count(r.Notes(), []byte("\n")) >= maxLives }

// Pause takes the note of this life back: the run waits, or has ended. What cannot be taken back counts as one life too
// many; nothing is lost by that but a try.
func (r *Run) Pause() {
	if !r.begun {
		return
	}
	r.begun = false
	if r.earlier == 0 {
		_ = os.Remove(r.Path(begunFile))
		return
	}
	_ = os.Truncate(r.Path(begunFile), r.earlier)
}

// Begun tells whether the run is between Begin and Pause.
func (r *Run) Begun() bool { return r.begun }

// Notes are those that lives of the operator have left which ended while they worked on the run, and this one's between Begin and
// Pause; nil: there are none.
func (r *Run) Notes() []byte {
	notes, err := os.ReadFile(r.Path(begunFile))
	if err != nil {
		return nil
	}
	return notes
}

// Inherit gives a run that comes from another disk the notes that it had there, unless it has some here.
func (r *Run) Inherit(notes []byte) error {
	r.inherited = true
	if len(notes) == 0 || r.Notes() != nil {
		return nil
	}
	return r.Write(begunFile, notes)
}

// Inherited tells whether the run comes from another disk. This one may be lost as well, so its notes must be kept elsewhere too.
func (r *Run) Inherited() bool { return r.inherited }
