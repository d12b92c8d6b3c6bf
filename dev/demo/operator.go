package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// operatorEnd is how long the operator may take to stop its scripts; devcluster gives a stopped demo 30 s in all.
const operatorEnd = 15 * time.Second

// operator is the running ./octo-operator, and its log so far.
type operator struct {
	stateDir string
	cmd      *exec.Cmd
	done     chan struct{}
	finished map[string]bool // ids of the runs that waitRun has returned

	mu       sync.Mutex
	log      bytes.Buffer
	stopping bool
}

// startOperator starts the operator. The story stops if the operator ends by itself.
func (d *demo) startOperator() error {
	o := &operator{stateDir: filepath.Join(d.dir, "state"), done: make(chan struct{}), finished: map[string]bool{}}
	own, err := d.staySettings()
	if err != nil {
		return fmt.Errorf("cannot prepare the operator: %w", err)
	}
	o.cmd = d.command(context.Background(), "./octo-operator")
	o.cmd.Env = append(withoutSettings(os.Environ()),
		"OPERATOR__AUTOMANAGEPOOLS=true",
		"OPERATOR__COMMUNICATIONCONTROLLERURI="+d.controller.URL(),
		"OPERATOR__POOLNAMESPACE="+d.name,
		"OPERATOR__WATCHNAMESPACE="+d.name,
		"OPERATOR__STATEDIR="+o.stateDir,
		"OPERATOR__LOGFORMAT=json",
		"OPERATOR__HELM__TIMEOUT="+helmTimeout,
		"OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.0/8,::1", // the demo's charts are served by this machine
		"OPERATOR__BROKERUSER=octo",
		"OPERATOR__BROKERPASSWORD="+brokerPassword,
	)
	o.cmd.Env = append(o.cmd.Env, own...)
	o.cmd.Stdout, o.cmd.Stderr = o, o
	if err := o.cmd.Start(); err != nil {
		return fmt.Errorf("cannot start the operator: %w: make demo builds it", err)
	}
	d.operator = o
	d.onCleanUp("stopped the operator", func() error { return errors.Join(o.stop(), killAllIn(d.dir)) })
	go func() {
		_ = o.cmd.Wait()
		close(o.done)
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.stopping {
			d.stop(fmt.Errorf("the operator ended by itself: %s", o.cmd.ProcessState))
		}
	}()
	return nil
}

// withoutSettings removes the settings of an operator from the environment of the user's shell.
func withoutSettings(environ []string) (kept []string) {
	for _, variable := range environ {
		name := strings.ToUpper(variable)
		if !strings.HasPrefix(name, "OPERATOR__") && !strings.HasPrefix(name, "KESTREL__") {
			kept = append(kept, variable)
		}
	}
	return kept
}

// stop asks the operator to end, and waits until it has stopped its scripts and ended.
func (o *operator) stop() error {
	o.mu.Lock()
	o.stopping = true
	o.mu.Unlock()
	_ = o.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-o.done:
	case <-time.After(operatorEnd):
		_ = o.cmd.Process.Kill()
		<-o.done
	}
	if !o.cmd.ProcessState.Success() {
		return fmt.Errorf("the operator did not end in an orderly way: %s", o.cmd.ProcessState)
	}
	return nil
}

// Write receives the operator's output.
func (o *operator) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.Write(p)
}

func (o *operator) text() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.log.String()
}

// record is one line of the log.
type record map[string]any

// records returns the matching records of the log so far. A line that is not JSON (a panic) becomes a message of its own.
func (o *operator) records(match func(record) bool) (found []record) {
	for line := range strings.Lines(o.text()) {
		r := record{}
		if json.Unmarshal([]byte(line), &r) != nil {
			r = record{"msg": strings.TrimSpace(line)}
		}
		if match(r) {
			found = append(found, r)
		}
	}
	return found
}

func (o *operator) waitRecord(ctx context.Context, message string) error {
	return wait(ctx, "log record "+message, func() bool {
		return len(o.records(func(r record) bool { return r["msg"] == message })) > 0
	})
}

func wait(ctx context.Context, what string, condition func() bool) error {
	for !condition() {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("gave up waiting for the operator's %s: %w", what, ctx.Err())
		}
	}
	return nil
}
