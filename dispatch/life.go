package dispatch

import (
	"fmt"
	"time"
)

// Wait returns when nothing is queued or running.
func (d *Dispatcher) Wait() {
	d.lanes.Wait()
	d.guard.Close()
	d.Kubectl.Close()
}

// Shutdown ends the daemon's work within grace: nothing new starts, short work ends by itself, and long work is stopped so
// that the next life resumes it.
func (d *Dispatcher) Shutdown(grace time.Duration) {
	ends := time.Now().Add(grace * 9 / 10)
	d.ends.Store(&ends)
	d.lanes.Shut()
	soft := time.AfterFunc(grace/2, d.stopWork)
	hard := time.AfterFunc(grace*8/10, d.Hurry)
	d.lanes.Wait()
	soft.Stop()
	hard.Stop()
	d.stopWork()
}

// Hurry kills what does not stop by itself, at once.
func (d *Dispatcher) Hurry() {
	d.hurrying.Do(func() { close(d.hurry) })
}

// Abort kills whatever runs.
func (d *Dispatcher) Abort() {
	d.Hurry()
	d.stopWork()
}

// Close gives up what the daemon holds. To be called when nothing works any more.
func (d *Dispatcher) Close() error {
	d.guard.Close()
	d.Kubectl.Close()
	if err := d.Unlock(); err != nil {
		return fmt.Errorf("cannot give up the state directory: %w", err)
	}
	return nil
}
