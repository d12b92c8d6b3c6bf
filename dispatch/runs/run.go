package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"octo-operator/hub"
)

// Run is one run directory: an event that is being carried out, or was.
type Run struct {
	ID       string // name of the directory: time, callback, lane, random end
	Dir      string // path of the directory; "": the run is not on this disk
	Lane     string // "": not known, as for runs that were read from disk
	Callback string // one of hub.Callbacks; "": not known

	begun     bool  // this process has a note in begunFile
	earlier   int64 // bytes in begunFile that earlier processes have written
	inherited bool  // see FromOtherDisk

	recorded recorded
}

// Outcome of a run.
type Outcome string

// The outcomes. A superseded run was not started, or was stopped, because a newer event made it pointless.
const (
	Succeeded  Outcome = "succeeded"
	Failed     Outcome = "failed"
	Superseded Outcome = "superseded"
)

// Outcomes are all of them.
var Outcomes = []Outcome{Succeeded, Failed, Superseded}

// Result is how a run ended. Its file is written last: a run with a result is finished.
type Result struct {
	Outcome  Outcome   `json:"outcome"`
	Reason   string    `json:"reason,omitempty"` // why it did not succeed, as reported to the controller
	ExitCode int       `json:"exitCode"`         // of the script; -1: no script ended by itself
	Started  time.Time `json:"started"`
	Ended    time.Time `json:"ended"`
	Seconds  float64   `json:"seconds"`
}

// Event reads the run's event. The error says that the file cannot be read.
func (r *Run) Event() (event hub.Event, err error) {
	if err = r.read(eventFile, &event); err != nil {
		err = fmt.Errorf("cannot read the event of run %s: %w", r.ID, err)
	}
	return event, err
}

func (r *Run) read(name string, into any) error {
	text, err := readFile(r.Path(name))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// Created is when the event came, as the run's name says; zero: that is no time.
func (r *Run) Created() time.Time {
	created, _ := time.Parse(idTime, r.ID[:min(len(r.ID), len(idTime))])
	return created
}

// ShortID returns the id without callback and lane: time and random end. It is a valid label value.
func (r *Run) ShortID() string {
	return r.ID[:min(len(r.ID), len(idTime))] + r.ID[max(0, strings.LastIndexByte(r.ID, '-')):]
}

// Path returns the path of a file of the run.
func (r *Run) Path(name string) string { return filepath.Join(r.Dir, name) }

// Has tells whether the run has a file of that name.
func (r *Run) Has(name string) bool {
	_, err := os.Stat(r.Path(name))
	return err == nil
}

// Write writes a file of the run that only its owner may read.
func (r *Run) Write(name string, text []byte) error {
	if err := os.WriteFile(r.Path(name), text, 0o600); err != nil {
		return fmt.Errorf("cannot write %s of run %s: %w", name, r.ID, err)
	}
	return nil
}

// WriteProgram writes an executable file of the run.
func (r *Run) WriteProgram(name string, text []byte) error {
	if err := r.Write(name, text); err != nil {
		return err
	}
	return os.Chmod(r.Path(name), 0o700)
}

// Remove deletes files or directories of the run. It is no error if one does not exist.
func (r *Run) Remove(names ...string) error {
	var errs []error
	for _, name := range names {
		errs = append(errs, os.RemoveAll(r.Path(name)))
	}
	return errors.Join(errs...)
}

// Finish writes the result; the run is never started again afterwards. clean is the event without its secrets, which then replaces the
// event on disk; nil: the event stays. It is replaced only once there is a result, because after a crash in between, an unfinished event
// would lack what it needs.
func (r *Run) Finish(result Result, clean *hub.Event) error {
	result.Seconds = result.Ended.Sub(result.Started).Seconds()
	text, err := json.MarshalIndent(result, "", "  ")
	if err == nil && clean != nil {
		err = r.writeClean(*clean)
	}
	if err == nil {
		err = writeSynced(r.Path(resultFile), append(text, '\n'))
	}
	if err == nil {
		err = r.clean()
	}
	if err != nil {
		return fmt.Errorf("cannot write the result of run %s: %w", r.ID, err)
	}
	return nil
}

func (r *Run) writeClean(event hub.Event) error {
	text, err := json.Marshal(event)
	if err != nil {
		return err
	}
	return os.WriteFile(r.Path(cleanFile), text, 0o600)
}

// clean replaces the event by the one without secrets, if Finish has written one.
func (r *Run) clean() error {
	err := os.Rename(r.Path(cleanFile), r.Path(eventFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Result reads how the run ended. The error is fs.ErrNotExist if it has not ended.
func (r *Run) Result() (result Result, err error) {
	if err = r.read(resultFile, &result); err != nil {
		err = fmt.Errorf("cannot read the result of run %s: %w", r.ID, err)
	}
	return result, err
}

// Output writes a run's output.log: every line with its time and stream. Its methods may be called by several goroutines.
type Output struct {
	mu      sync.Mutex
	file    *os.File
	written int64
	err     error
}

// maxOutput is the largest size of output.log in bytes: an event may be tried for days. OPERATOR__SCRIPTOUTPUT limits each script of it.
const maxOutput = 64 << 20

// OpenOutput opens output.log for appending. The caller must close it.
func (r *Run) OpenOutput() (*Output, error) {
	f, err := os.OpenFile(r.Path("output.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("cannot keep the output of run %s: %w", r.ID, err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot keep the output of run %s: %w", r.ID, err), f.Close())
	}
	return &Output{file: f, written: info.Size()}, nil
}

// Line appends one line. A full disk must not stop the run, so Line keeps the first error for Close. Beyond maxOutput nothing is written;
// the last line of the file says so.
func (o *Output) Line(t time.Time, stream, text string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.written >= maxOutput {
		return
	}
	n, err := fmt.Fprintf(o.file, "%s %s %s\n", t.UTC().Format("15:04:05.000"), stream, text)
	if o.written += int64(n); o.written >= maxOutput && err == nil {
		_, err = fmt.Fprintf(o.file, "output cut: this file has %d bytes\n", o.written)
	}
	if o.err == nil {
		o.err = err
	}
}

// Close closes the file and returns the first error of Line or of closing.
func (o *Output) Close() error { return errors.Join(o.err, o.file.Close()) }
