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

// untilSignal returns a context that ends with the first signal that asks the program to end: Ctrl-C, a terminal that is closed (unless under
// nohup), or a reader that is gone, as after "| head". Otherwise these would leave files with secrets, and a helm that nobody watches.
func untilSignal() (context.Context, context.CancelFunc) {
	signals := []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGPIPE}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	return signal.NotifyContext(context.Background(), signals...)
}

// withEvent prepares the handlers as the daemon does, and calls work with one event. ctx is that of untilSignal.
func withEvent(callback string, file []string, work func(context.Context, *handlers.Handlers, hub.Event) error) error {
	ctx, stop := untilSignal()
	defer stop()
	settings, log, err := Load(os.Stderr)
	if err != nil {
		return err
	}
	settings.AutoManagePools = true // edge mode would ignore the pool events that a person has asked for
	event, err := readEvent(callback, file)
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

// readEvent reads a callback's arguments from a file, or from standard input if there is none or it is "-".
func readEvent(callback string, file []string) (hub.Event, error) {
	read := func() ([]byte, error) { return io.ReadAll(os.Stdin) }
	if len(file) > 0 && file[0] != "-" {
		read = func() ([]byte, error) { return os.ReadFile(file[0]) }
	}
	text, err := read()
	if err != nil {
		return hub.Event{}, fmt.Errorf("cannot read the arguments of %s: %w", callback, err)
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
