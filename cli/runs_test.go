package cli

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode"

	"octo-operator/dev/fixtures"
	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
	"octo-operator/hub"
)

// now is shortly after the newest run in story's testdata/state.
var now = time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func state(t testing.TB) *runs.Store {
	t.Helper()
	store, err := runs.OpenToRead("../dispatch/runs/story/testdata/state")
	must(t, err)
	return store
}

func everyRun(t testing.TB) []story.Summary {
	t.Helper()
	list, _, err := story.List(state(t), story.Filter{}, now)
	must(t, err)
	return list
}

// wantNoControl fails if a text contains characters that a terminal would obey.
func wantNoControl(t *testing.T, text string) {
	t.Helper()
	for i, r := range text {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U is printed: …%q", r, text[max(0, i-40):i+1])
		}
	}
}

func TestTheListOfRunsFitsWhereItIsPrinted(t *testing.T) {
	list := everyRun(t)
	for name, test := range map[string]struct {
		wide  bool
		width int
	}{
		"pipe": {}, "80": {width: 80}, "140": {width: 140}, "wide": {wide: true},
	} {
		t.Run(name, func(t *testing.T) {
			var to bytes.Buffer
			printList(&to, list, now, test.wide, test.width)
			wantNoControl(t, to.String())
			for line := range strings.Lines(to.String()) {
				if length := len([]rune(line)) - 1; test.width > 0 && length > test.width {
					t.Errorf("%d characters: %s", length, line)
				}
			}
			fixtures.Golden(t, "runs/list-"+name+".txt", to.Bytes())
		})
	}
	var to bytes.Buffer
	must(t, printJSON(&to, list))
	wantNoControl(t, to.String())
	fixtures.Golden(t, "runs/list.json", to.Bytes())
}

func TestARunIsShownWithItsReasonFirstAndWithoutItsSecrets(t *testing.T) {
	all, err := state(t).List()
	must(t, err)
	for _, run := range all {
		t.Run(run.RandomEnd(), func(t *testing.T) {
			s := story.Read(run, now)
			var shown, whole, asJSON bytes.Buffer
			printStory(&whole, s, now, true, 0)
			s.Dir = "/state/runs/" + s.ID // the directory in its commands
			printStory(&shown, s, now, false, 120)
			must(t, printJSON(&asJSON, s))
			for _, text := range []string{shown.String(), whole.String(), asJSON.String()} {
				wantNoControl(t, text)
				if strings.Contains(text, "planted") {
					t.Errorf("a secret is in it: %s", text)
				}
			}
			fixtures.Golden(t, "runs/show-"+run.RandomEnd()+".txt", shown.Bytes())
		})
	}
}

func TestJSONThatIsPrintedIsWhatItWas(t *testing.T) {
	want := "a\x1b[2J\u0085\u202e\U000e0001\u2028 <é> \"\\\x7f"
	var to bytes.Buffer
	must(t, printJSON(&to, want))
	wantNoControl(t, to.String())
	var got string
	if err := json.Unmarshal(to.Bytes(), &got); err != nil || got != want {
		t.Errorf("%s was read as %q, %v", to.String(), got, err)
	}
}

func TestACommandCanBePastedWhereRUNIsTheRunsDirectory(t *testing.T) {
	for _, test := range [][3]string{
		{"helm template a /s/r/chart.tgz --values=/s/r/values.yaml", "/s/r", "helm template a $RUN/chart.tgz --values=$RUN/values.yaml"},
		{"kubectl label 'it is in /s/r/x now' /s/r/y", "/s/r", "kubectl label 'it is in /s/r/x now' $RUN/y"},
		{`echo 'it'\''s /s/r/x' /s/r/y`, "/s/r", `echo 'it'\''s /s/r/x' $RUN/y`},
		{"helm template '/my dir/r/chart.tgz'", "/my dir/r", "helm template '/my dir/r/chart.tgz'"},
		{"cat /s/r2/x", "/s/r", "cat /s/r2/x"},
	} {
		if got := inRun(test[0], test[1]); got != test[2] {
			t.Errorf("%s: got %s, want %s", test[0], got, test[2])
		}
	}
}

func TestDurationsAreReadAtAGlance(t *testing.T) {
	for seconds, want := range map[float64]string{
		0: "0ms", 0.3404: "340ms", 2.14: "2.1s", 45.9: "45s", 192: "3m12s", 7500: "2h05m", 273600: "3d4h", -1: "0ms", 1e300: "11574d1h",
	} {
		if got := brief(seconds); got != want {
			t.Errorf("%v: got %s, want %s", seconds, got, want)
		}
	}
}

// begun is a run on which an operator works.
func begun(t *testing.T) *runs.Run {
	t.Helper()
	store, err := runs.Open(t.TempDir())
	must(t, err)
	run, err := store.Create(hub.Event{Callback: hub.WorkloadUndeployedCallback, Argument: []byte(`{"tenantId":"acme","workloadName":"Shop"}`)}, "octo/acme-shop")
	must(t, err)
	return run
}

// screen is where a follower prints; it is read while that goes on.
type screen struct{ lines chan string }

func (s screen) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		s.lines <- strings.TrimSuffix(line, "\n")
	}
	return len(p), nil
}

// wantLine waits for a line.
func (s screen) wantLine(t *testing.T, part string) {
	t.Helper()
	for line := range s.lines {
		if strings.Contains(line, part) {
			return
		}
	}
	t.Fatalf("the following ended without %q", part)
}

func TestARunIsFollowedAsItHappensUntilItEnds(t *testing.T) {
	run := begun(t)
	output, err := run.OpenOutput()
	must(t, err)
	defer output.Close()
	output.Line(time.Now(), "stdout", "before\x1b[2J")
	s := screen{make(chan string)}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute) // so that the test fails instead of hanging
	defer stop()
	var ended story.Summary
	go func() {
		ended, err = follow(ctx, bufio.NewWriter(s), run)
		close(s.lines)
	}()
	s.wantLine(t, "WorkloadUndeployed")
	s.wantLine(t, " stdout before")
	run.Record(runs.Moment{Time: time.Now(), Kind: runs.KindPhase, Name: runs.PhaseRun})
	s.wantLine(t, "runs its script")
	f, openErr := os.OpenFile(run.Path("output.log"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, openErr)
	_, _ = f.WriteString("12:00:00.000 stderr half of")
	run.Record(runs.Moment{Time: time.Now(), Kind: runs.KindWait, Name: runs.WaitPods, Text: "web"})
	s.wantLine(t, "waits for web")
	_, _ = f.WriteString(" a line\n")
	s.wantLine(t, "12:00:00.000 stderr half of a line")
	run.Record(runs.Moment{Time: time.Now(), Kind: runs.KindEnd, Name: "failed"})
	must(t, run.Finish(runs.Result{Outcome: runs.Failed, Reason: "no\nway"}, nil))
	s.wantLine(t, "failed after")
	s.wantLine(t, "way")
	for line := range s.lines {
		t.Errorf("and then %q", line)
	}
	if err != nil || ended.Outcome != runs.Failed {
		t.Errorf("got %+v, %v", ended, err)
	}
}

func TestAllThatIsPrintedWhileARunIsFollowedIsSeen(t *testing.T) {
	run := begun(t)
	f := follower{run: run}
	must(t, f.print(io.Discard))
	line := "12:00:00.000 stdout " + strings.Repeat("x", 100) + "\n"
	many := strings.Repeat(line, 5*longestHistory/len(line)) + "12:00:00.000 stdout last\n"
	must(t, run.Write("output.log", []byte(many)))
	var to bytes.Buffer
	must(t, f.print(&to))
	if to.String() != many {
		t.Errorf("%d of %d bytes were printed", to.Len(), len(many))
	}
	// Of the earlier output only the end is printed.
	to.Reset()
	later := follower{run: run}
	must(t, later.print(&to))
	if got := to.String(); len(got) > longestHistory || !strings.HasSuffix(many, got) || !strings.HasPrefix(got, "12:") {
		t.Errorf("%d bytes were printed, %.30q…", len(got), got)
	}
}

func TestAFollowerGoesOnInATimelineThatWasCut(t *testing.T) {
	run := begun(t)
	at := func(i int) runs.Moment {
		return runs.Moment{Time: now.Add(time.Duration(i) * time.Second), Kind: runs.KindPhase, Name: string(rune('a' + i))}
	}
	f := follower{run: run}
	for i := range 4 {
		run.Record(at(i))
	}
	if got := len(f.newMoments()); got != 4 {
		t.Fatalf("got %d moments", got)
	}
	must(t, run.Remove("timeline.jsonl"))
	for _, i := range []int{0, 3, 4, 5} {
		run.Record(at(i))
	}
	for _, want := range []int{2, 0} {
		if got := f.newMoments(); len(got) != want {
			t.Errorf("got %v, want %d", got, want)
		}
	}
}

func TestALineOfOutputAfterMidnightIsOfTheNextDay(t *testing.T) {
	before := time.Date(2026, 11, 26, 23, 59, 59, 0, time.UTC)
	for line, want := range map[string]time.Time{
		"23:59:59.500 stdout x": before.Add(500 * time.Millisecond), "00:00:01.000 stdout x": before.Add(2 * time.Second),
		"23:59:58.999 stdout late": before.Add(-time.Millisecond), "output cut": before, "": before,
	} {
		if got := timeOf(line, before); !got.Equal(want) {
			t.Errorf("%q: got %s, want %s", line, got, want)
		}
	}
}

func TestACallbackIsKnownHoweverItIsTyped(t *testing.T) {
	for _, typed := range []string{"WorkloadDeployed", "workloaddeployedasync", "workload-deployed"} {
		if got, err := callbackNamed(typed); got != hub.WorkloadDeployedCallback || err != nil {
			t.Errorf("%s: got %q, %v", typed, got, err)
		}
	}
	if _, err := callbackNamed("deploy"); err == nil || !strings.Contains(err.Error(), "WorkloadUndeployed") {
		t.Errorf("got %v", err)
	}
}
