package dispatch

import (
	"fmt"
	"time"
)

// Wait returns when nothing is queued or running, and closes the connections to the cluster: for what is no daemon, and for one that ends
// without a Shutdown.
func (d *Dispatcher) Wait() {
	d.lanes.Wait()
	d.closeConnections()
}

// Shutdown ends the daemon's work within grace: nothing new starts, short work ends by itself, long work is stopped, and the next life resumes
// it.
func (d *Dispatcher) Shutdown(grace time.Duration) {
	ends := time.Now().Add(grace * 9 / 10)
	d.ends.Store(&ends)
	d.lanes.Shut()
	soft := time.AfterFunc(grace/2, d.stopWork)
	hard := time.AfterFunc(grace*8/10, d.runner.killAll)
	d.lanes.Wait()
	soft.Stop()
	hard.Stop()
	d.stopWork()
}

// Abort kills whatever runs, at once.
func (d *Dispatcher) Abort() {
	d.runner.killAll()
	d.stopWork()
}

// Close unlocks the state directory. Call it when nothing runs any more.
func (d *Dispatcher) Close() error {
	d.closeConnections()
	if err := d.unlock(); err != nil {
		return fmt.Errorf("cannot give up the state directory: %w", err)
	}
	return nil
}

func (d *Dispatcher) closeConnections() {
	d.runner.guard.Close()
	d.cluster.Close()
}

// RetryWrites tries once more to write results that could not be written. Call it when nothing runs any more, before the last copies are written:
// a result removes its copy.
func (d *Dispatcher) RetryWrites() { d.disk.retryWrites() }
