package runs

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	// begunFile has a line for the current process while it works on the run, and one for each earlier process that ended while it worked
	// on it.
	begunFile = "begun"
	// maxLives is how many processes may end while they work on the same event. Then it is not tried again: the event may be what crashes
	// the operator, and all other events would suffer.
	maxLives = 3
)

// StartWork notes on disk that this process works on the run, until StopWork. If the process ends before, for whatever reason, the note stays:
// then it is a crash note. StartWork returns an error if there are maxLives of them, because the event may be what ends the operator. It may be
// called again before StopWork. Notes survive the process but not the disk: see RestoreCrashNotes.
//
// StartWork and StopWork of one run must not be called at the same time.
func (r *Run) StartWork() error {
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

// keepCrashing is how long a run with maxLives notes is kept even if other finished runs are removed: it is the only trace of what ended
// the operator.
const keepCrashing = 24 * time.Hour

// gaveUp tells whether the run has maxLives notes, so that StartWork refuses it.
func (r *Run) gaveUp() bool { return bytes.Count(r.CrashNotes(), []byte("\n")) >= maxLives }

// StopWork removes this process' note, because the run waits or has ended. If that fails, the run has one try less, and nothing is lost
// otherwise.
func (r *Run) StopWork() {
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

// AtWork tells whether the run is between StartWork and StopWork.
func (r *Run) AtWork() bool { return r.begun }

// CrashNotes returns the notes of processes that ended while they worked on the run, and of this one between StartWork and StopWork; nil: there
// are none.
func (r *Run) CrashNotes() []byte {
	notes, err := readFile(r.Path(begunFile))
	if err != nil {
		return nil
	}
	return notes
}

// RestoreCrashNotes marks the run as one that comes from another disk, and writes the notes that it had there, unless it has notes here.
func (r *Run) RestoreCrashNotes(notes []byte) error {
	r.inherited = true
	if len(notes) == 0 || r.CrashNotes() != nil {
		return nil
	}
	return r.Write(begunFile, notes)
}

// FromOtherDisk tells whether the run comes from another disk. Such a run may lose this disk too, so its notes must also be kept in the cluster.
func (r *Run) FromOtherDisk() bool { return r.inherited }
