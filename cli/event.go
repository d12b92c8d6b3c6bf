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

	"octo-operator/handlers"
	"octo-operator/hub"
)

// untilSignal returns a context that ends with the first SIGTERM or SIGINT.
func untilSignal() (context.Context, context.CancelFunc) {
	return signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
}

// eventSource says which event a command is about.
type eventSource func() (hub.Event, error)

// fromFile is the event of a callback whose arguments are in a file, see readEvent.
func fromFile(callback string, file []string) eventSource {
	return func() (hub.Event, error) { return readEvent(callback, file) }
}

// ofRun is the event of a run, in the forms that findRun takes, if it is one of that callback.
func ofRun(callback, what string) eventSource {
	return func() (hub.Event, error) {
		_, run, err := findRun(what)
		if err != nil {
			return hub.Event{}, err
		}
		event, err := run.Event()
		if err == nil && event.Callback != callback {
			err = fmt.Errorf("run %s is no %s, but a %s", endOf(run.ShortID()), callback, event.Callback)
		}
		return event, err
	}
}

// withEvent prepares the handlers as the daemon does, and calls work with one event. ctx ends with SIGTERM or SIGINT.
func withEvent(source eventSource, work func(context.Context, *handlers.Handlers, hub.Event) error) error {
	ctx, stop := untilSignal()
	defer stop()
	settings, log, err := Load(os.Stderr)
	if err != nil {
		return err
	}
	settings.AutoManagePools = true // edge mode would ignore the pool events that a person has asked for
	event, err := source()
	if err != nil {
		return err
	}
	h, err := handlers.New(ctx, settings, os.Environ(), logController{log}, log)
	if err != nil {
		return err
	}
	defer h.Wait()
	return work(ctx, h, event)
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
