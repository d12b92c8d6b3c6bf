package dispatch

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/hub"
)

func TestTheReasonOfAFailureIsKeptAndLoggedWithoutSecrets(t *testing.T) {
	store, err := runs.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for shown, redact := range map[string]*exec.Redactor{"[redacted]": exec.NewRedactor("planted"), "planted": nil} {
		run, err := store.Create(hub.Event{Callback: hub.PoolDeployed, Argument: []byte(`{}`)}, "pool/acme")
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		r := newTestRunner(store)
		result := r.finish(&Task{Run: run, engine: r, Log: slog.New(slog.NewTextHandler(&log, nil)), Redact: redact},
			time.Now(), errors.New("cannot set planted"))
		kept, err := os.ReadFile(run.Path("result.json"))
		if err != nil {
			t.Fatal(err)
		}
		want := "cannot set " + shown
		if result.Reason != want || !strings.Contains(string(kept), want) || !strings.Contains(log.String(), want) {
			t.Errorf("want %q; returned %q, kept %s, logged %s", want, result.Reason, kept, &log)
		}
	}
}

// newTestRunner is of a dispatcher whose Controller, settings and tools nobody needs.
func newTestRunner(store *runs.Store) *runner {
	return New(context.Background(), Options{Runs: store, Log: slog.New(slog.DiscardHandler), Controller: &fakeController{}}).runner
}
