package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// run is a run of the operator: an event and its directory.
type run struct {
	id, dir  string
	operator *operator
}

// waitRun waits for the end of the next run of a callback whose records have the attribute name with that value, and checks its outcome.
func (o *operator) waitRun(ctx context.Context, callback, name, value, outcome string) (*run, error) {
	var found *run
	err := wait(ctx, callback+" of "+value, func() bool {
		for _, received := range o.records(func(r record) bool {
			return r["msg"] == "event received" && r["callback"] == callback && r[name] == value
		}) {
			id := fmt.Sprint(received["run"])
			found = &run{id: id, dir: filepath.Join(o.stateDir, "runs", id), operator: o}
			if _, err := os.Stat(found.file("result.json")); err == nil && !o.finished[id] {
				o.finished[id] = true
				return true
			}
		}
		return false
	})
	if err != nil {
		return nil, err
	}
	var result struct{ Outcome, Reason string }
	if err := found.readJSON("result.json", &result); err != nil {
		return nil, err
	}
	if result.Outcome != outcome {
		return nil, fmt.Errorf("%s of %s should have %s, but has %s: %s", callback, value, outcome, result.Outcome, result.Reason)
	}
	return found, nil
}

func (r *run) file(name string) string { return filepath.Join(r.dir, name) }

func (r *run) readJSON(name string, into any) error {
	text, err := os.ReadFile(r.file(name))
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("cannot read %s of run %s: %w", name, r.id, err)
	}
	return nil
}

func (r *run) mine(other record) bool { return other["run"] == r.id }

// release is the name that the operator has given to the workload's release.
func (r *run) release() string { return fmt.Sprint(r.operator.records(r.mine)[0]["release"]) }

var (
	runDirectory = regexp.MustCompile(`/\S+/state/runs/[^/\s]+`)
	labels       = regexp.MustCompile(`--labels \S+`)
)

// short shortens texts that are long and the same in every command of a run.
func short(text string) string {
	text = strings.ReplaceAll(text, "KUBECONFIG="+os.Getenv("KUBECONFIG")+" ", "")
	text = runDirectory.ReplaceAllLiteralString(text, "$RUN")
	return labels.ReplaceAllLiteralString(text, `--labels "$OCTO_LABELS"`)
}

func (r *run) printLog() {
	label("what ran", "the operator's log")
	r.operator.printLog(r.mine)
}

// printEvent prints the event as it is in the run directory.
func (r *run) printEvent() {
	var event struct {
		Callback string
		Argument json.RawMessage
	}
	if err := r.readJSON("event.json", &event); err != nil {
		event.Callback = err.Error()
	}
	label("received", event.Callback+", as it is kept in $RUN/event.json")
	block(asYAML(event.Argument, false))
}

// printDir prints which files a run has left on disk.
func (r *run) printDir() error {
	label("run directory", "$RUN is")
	block(filepath.Dir(r.dir) + "/\n" + r.id)
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return fmt.Errorf("cannot look into the run directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	prompt("ls $RUN")
	block(strings.Join(names, "  "))
	return nil
}
