package exec

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
)

func TestCaptureReturnsStdoutAlone(t *testing.T) {
	out, err := Capture(testContext(t), sh(`echo one; echo a warning >&2; printf two`))
	if out != "one\ntwo\n" || err != nil {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestCaptureJoinsALongLine(t *testing.T) {
	const size = 3<<20 + 5
	out, err := Capture(testContext(t), sh(`head -c "$1" /dev/zero | tr '\0' x; echo; echo next`, strconv.Itoa(size)))
	if want := strings.Repeat("x", size) + "\nnext\n"; out != want || err != nil {
		t.Errorf("got %d bytes, want %d; %v", len(out), len(want), err)
	}
}

func TestTheErrorOfCaptureIsWhatTheProgramSays(t *testing.T) {
	for _, tt := range []struct{ script, want string }{
		{`echo half; echo "Error: release: not found" >&2; echo "what to do" >&2; exit 3`, "Error: release: not found\nwhat to do"},
		{`echo half; exit 3`, "cannot complete /bin/sh: exit code 3"},
		{`echo half; echo >&2; exit 3`, "cannot complete /bin/sh: exit code 3"},
		{`echo half; echo a warning >&2; kill -9 $$`, "cannot complete /bin/sh: killed by SIGKILL from outside (often: out of memory)"},
	} {
		out, err := Capture(testContext(t), sh(tt.script))
		var exit *ExitError
		if errText(err) != tt.want || !errors.As(err, &exit) || out != "half\n" {
			t.Errorf("%s: got %q, %q", tt.script, out, err)
		}
	}
}

func TestCaptureTakesSecretsOutOfTheError(t *testing.T) {
	c := sh(`echo "cannot log in with hunter2" >&2; exit 1`)
	c.Redact = NewRedactor("hunter2")
	if _, err := Capture(testContext(t), c); errText(err) != "cannot log in with [redacted]" {
		t.Errorf("got %q", err)
	}
}

func TestCaptureTellsAStopFromAFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stop *StoppedError
	if _, err := Capture(ctx, sh(`exit 1`)); !errors.As(err, &stop) {
		t.Errorf("got %v", err)
	}
	var start *StartError
	if _, err := Capture(testContext(t), Command{Path: "no-such-command"}); !errors.As(err, &start) {
		t.Errorf("got %v", err)
	}
}
