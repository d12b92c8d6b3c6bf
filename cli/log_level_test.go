package cli

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"octo-operator/web"
)

// serving starts the operator's own web server and returns its address.
func serving(t *testing.T, level *slog.LevelVar) (address string) {
	t.Helper()
	var logged atomic.Value
	log := slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == "address" {
			logged.Store(a.Value.String())
		}
		return a
	}}))
	web.New(web.Options{
		HTTP: "127.0.0.1:0", LogLevel: level, Log: log, Metrics: web.NewMetrics(web.State{}, web.Labels{}), Ready: func() web.Readiness { return web.Readiness{} },
	}).Listen(t.Context())
	address, listens := logged.Load().(string)
	if !listens {
		t.Fatal("it does not listen")
	}
	return address
}

func TestTheLevelOfTheRunningOperatorsLogIsSetByACommand(t *testing.T) {
	level := &slog.LevelVar{}
	address := serving(t, level)
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:9")
	t.Setenv("KESTREL__ENDPOINTS__HTTP__URL", "http://"+address)
	said := &strings.Builder{}
	command := Command("", nil)
	command.SetArgs([]string{"log-level", "debug"})
	command.SetOut(said)
	if err := command.ExecuteContext(t.Context()); err != nil || level.Level() != slog.LevelDebug || said.String() != "the operator logs from debug on\n" {
		t.Errorf("%v, level %v, said %q", err, level.Level(), said)
	}
	err := changeLogLevel(t.Context(), address, "loud")
	if err == nil || level.Level() != slog.LevelDebug || !strings.HasPrefix(err.Error(), `cannot change the log level: "loud" is none of Trace, Debug, Info`) {
		t.Errorf("got %v, level %v", err, level.Level())
	}
}

func TestALogLevelThatNobodyTakesSaysWhereItIsToBeRun(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free.Close()
	err = changeLogLevel(context.Background(), free.Addr().String(), "debug")
	if err == nil || !strings.Contains(err.Error(), "no operator answers at "+free.Addr().String()+": run this where it runs") {
		t.Errorf("got %v", err)
	}
}
