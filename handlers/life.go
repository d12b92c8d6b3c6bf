package handlers

import (
	"fmt"
	"time"
)

// Wait returns when nothing is queued or running.
func (d *dispatcher) Wait() {
	d.lanes.wait()
	d.guard.Close()
	d.kubectl.Close()
}

// Shutdown ends the daemon's work within grace: nothing new starts, short work ends by itself, and long work is stopped so
// that the next life resumes it.
func (d *dispatcher) Shutdown(grace time.Duration) {
	ends := time.Now().Add(grace * 9 / 10)
	d.ends.Store(&ends)
	d.lanes.shut()
	soft := time.AfterFunc(grace/2, d.stopWork)
	hard := time.AfterFunc(grace*8/10, d.Hurry)
	d.lanes.wait()
	soft.Stop()
	hard.Stop()
	d.stopWork()
}

// Hurry kills what does not stop by itself, at once.
func (d *dispatcher) Hurry() {
	d.hurrying.Do(func() { close(d.hurry) })
}

// Abort kills whatever runs.
func (d *dispatcher) Abort() {
	d.Hurry()
	d.stopWork()
}

// Close gives up what the daemon holds. To be called when nothing works any more.
func (d *dispatcher) Close() error {
	d.guard.Close()
	d.kubectl.Close()
	if err := d.unlock(); err != nil {
		return fmt.Errorf("cannot give up the state directory: %w", err)
	}
	return nil
}
