package cli

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"octo-operator/web"
)

// serving is the operator's own web server, at an address that is free.
func serving(t *testing.T, level *slog.LevelVar) (address string) {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = free.Addr().String()
	free.Close()
	web.New(web.Options{
		HTTP: address, LogLevel: level, Log: slog.New(slog.DiscardHandler), Metrics: web.NewMetrics(web.State{}, web.Labels{}), Ready: func() web.Readiness { return web.Readiness{} },
	}).Listen(t.Context())
	for ctx := t.Context(); ctx.Err() == nil; time.Sleep(time.Millisecond) {
		if c, err := net.Dial("tcp", address); err == nil {
			c.Close()
			break
		}
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
