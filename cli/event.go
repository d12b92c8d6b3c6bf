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

// untilSignal returns a context that ends with the first signal that asks the program to end: Ctrl-C, a terminal that is closed (unless under
// nohup), or a reader that is gone, as after "| head". Otherwise these would leave files with secrets, and a helm that nobody watches.
func untilSignal() (context.Context, context.CancelFunc) {
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), signals...)
}

// withHandlers prepares the handlers as the daemon does, and calls work with them. ctx is that of untilSignal. aside: what they need on disk is
// in a directory of its own, which is removed afterwards, and only warnings are logged; else in the state directory.
func withHandlers(aside bool, work func(context.Context, *handlers.Handlers) error) error {
	ctx, stop := untilSignal()
	defer stop()
	settings, log, err := Load(os.Stderr)
	if err != nil {
		return err
	}
	settings.AutoManagePools = true // edge mode would ignore the pool events that a person has asked for
	if aside {
		if settings.StateDir, err = scratchDir(settings); err != nil {
			return err
		}
		defer os.RemoveAll(settings.StateDir)
		if LogLevel.Level() == slog.LevelInfo {
			LogLevel.Set(slog.LevelWarn) // what the command prints tells the story
		}
	}
	h, err := handlers.New(ctx, settings, os.Environ(), logController{log}, log)
	if err != nil {
		return err
	}
	defer h.Wait()
	return work(ctx, h)
}

// scratchDir makes a directory: in the state directory, which can be written to where nothing else can.
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

// readEvent reads a callback's arguments from a file, or from standard input if there is none or it is "-". A run's event.json will do too.
func readEvent(callback string, file []string) (hub.Event, error) {
	read := func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	if len(file) > 0 && file[0] != "-" {
		read = func() ([]byte, error) { return os.ReadFile(file[0]) }
	}
	text, err := read()
	if err != nil {
		return hub.Event{}, fmt.Errorf("cannot read the arguments of %s: %w", callback, err)
	}
	var kept hub.Event // as a run keeps it
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

// logController takes the place of the controller for a command: it logs reports and does nothing else.
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
