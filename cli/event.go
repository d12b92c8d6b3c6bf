package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/handlers"
	"octo-operator/hub"
)

// untilSignal returns a context that ends at the first signal that asks the program to end: Ctrl-C, a terminal that is closed (unless
// under nohup), or a reader that has gone, as after "| head". Without this, files with secrets would stay, and a helm would run on
// unattended.
func untilSignal() (context.Context, context.CancelFunc) {
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), signals...)
}

// withHandlers opens the handlers as the daemon does, and calls work with them. ctx is that of untilSignal. If aside is true, their files
// are in a directory of their own, which is removed afterwards, and only warnings are logged; otherwise they are in the state directory.
func withHandlers(aside bool, work func(context.Context, *handlers.Handlers) error) error {
	ctx, stop := untilSignal()
	defer stop()
	settings, log, err := Load(os.Stderr)
	if err != nil {
		return err
	}
	settings.AutoManagePools = true // in edge mode the pool events that a person asks for would be ignored
	if aside {
		if settings.StateDir, err = scratchDir(settings); err != nil {
			return err
		}
		defer os.RemoveAll(settings.StateDir)
		if LogLevel.Level() == slog.LevelInfo {
			LogLevel.Set(slog.LevelWarn) // the command prints what it does
		}
	}
	h, err := handlers.New(ctx, settings, os.Environ(), logController{log}, log)
	if err != nil {
		return err
	}
	defer h.Wait()
	return work(ctx, h)
}

// scratchDir creates a temporary directory in the state directory, which may be the only one that is writable.
func scratchDir(settings config.Config) (string, error) {
	if settings.StateDir != "" {
		if dir, err := os.MkdirTemp(settings.StateDir, runs.AsideName); err == nil {
			return dir, nil
		}
	}
	if store, err := storeToRead(); err == nil {
		if dir, err := os.MkdirTemp(strings.TrimSuffix(store.Dir(), "/runs"), runs.AsideName); err == nil {
			return dir, nil
		}
	}
	dir, err := os.MkdirTemp("", runs.AsideName)
	if err != nil {
		return "", fmt.Errorf("cannot make a directory for what is needed on disk: %w", err)
	}
	return dir, nil
}

// readEvent reads a callback's argument from a file, or from standard input if there is none or it is "-". The event.json of a run is
// accepted too.
func readEvent(callback string, file []string) (hub.Event, error) {
	read := func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	if len(file) > 0 && file[0] != "-" {
		read = func() ([]byte, error) { return os.ReadFile(file[0]) }
	}
	text, err := read()
	if err != nil {
		return hub.Event{}, fmt.Errorf("cannot read the arguments of %s: %w", callback, err)
	}
	var kept hub.Event // in the format of a run's event.json
	if json.Unmarshal(text, &kept) == nil && kept.Callback != "" && kept.Argument != nil {
		if kept.Callback != strings.TrimSuffix(callback, "Async") {
			return hub.Event{}, fmt.Errorf("cannot read the arguments of %s: the file holds an event %s", callback, kept.Callback)
		}
		return kept, nil
	}
	var arguments []json.RawMessage
	if strings.HasPrefix(strings.TrimSpace(string(text)), "[") {
		err = json.Unmarshal(text, &arguments)
	} else {
		var one json.RawMessage
		err = json.Unmarshal(text, &one)
		arguments = []json.RawMessage{one}
	}
	if err != nil {
		return hub.Event{}, fmt.Errorf("cannot read the arguments of %s: they are not JSON: %w", callback, err)
	}
	return hub.ParseEvent(callback, arguments)
}

// logController replaces the controller for a command: it logs reports and does nothing else.
type logController struct{ log *slog.Logger }

func (c logController) RegisterPool(hub.Pool)                          {}
func (c logController) UnregisterPool(hub.Pool)                        {}
func (c logController) ReregisterTenant(context.Context, string) error { return nil }
func (c logController) Generation() hub.Generation                     { return 0 }
func (c logController) Withdraw(string, string)                        {}
func (c logController) ReportDeployedState(context.Context, []hub.DeployedPool) error {
	return nil
}

func (c logController) Report(r hub.Report) {
	text, _ := json.Marshal(r.Arguments[0])
	c.log.Info("would be reported to the controller", "method", r.Method, "argument", string(text))
	if r.Delivered != nil {
		r.Delivered(nil)
	}
}
