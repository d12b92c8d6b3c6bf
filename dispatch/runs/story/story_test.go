package story

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/fixtures"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/hub"
)

// now is shortly after the newest run in testdata/state.
var now = time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func state(t testing.TB) *runs.Store {
	t.Helper()
	store, err := runs.OpenToRead("testdata/state")
	must(t, err)
	return store
}

func TestARunDirectoryTellsItsStoryWithoutSecrets(t *testing.T) {
	all, err := state(t).List()
	must(t, err)
	if len(all) != 10 {
		t.Fatalf("%d runs", len(all))
	}
	for _, run := range all {
		t.Run(run.RandomEnd(), func(t *testing.T) {
			text, err := json.MarshalIndent(Read(run, now), "", "  ")
			must(t, err)
			if strings.Contains(string(text), "planted") {
				t.Errorf("a secret is in it: %s", text)
			}
			fixtures.Golden(t, run.RandomEnd()+".json", append(text, '\n'))
		})
	}
}

func TestAListHasTheNewestThatAreAskedFor(t *testing.T) {
	for name, test := range map[string]struct {
		filter Filter
		want   string
		more   bool
	}{
		"all":                  {Filter{}, "77aa77 0a1b2c 4c4c4c 150188 5aab46 0d0d0d 99ff99 666666 dada00 0ff1ce", false},
		"the newest":           {Filter{Most: 2}, "77aa77 0a1b2c", true},
		"as many as there are": {Filter{Most: 10}, "77aa77 0a1b2c 4c4c4c 150188 5aab46 0d0d0d 99ff99 666666 dada00 0ff1ce", false},
		"failed":               {Filter{Failed: true}, "5aab46 666666 dada00", false},
		"the newest failed":    {Filter{Failed: true, Most: 1}, "5aab46", true},
		"unfinished":           {Filter{Unfinished: true}, "77aa77 0a1b2c 4c4c4c 0d0d0d", false},
		"failed, unfinished":   {Filter{Failed: true, Unfinished: true, Most: 5}, "77aa77 0a1b2c 4c4c4c 5aab46 0d0d0d", true},
		"a callback":           {Filter{Callback: hub.PoolDeployed}, "0d0d0d", false},
		"a tenant":             {Filter{Tenant: "ACME", Since: now.Add(-25 * time.Minute)}, "77aa77 0a1b2c 4c4c4c 150188 5aab46 0d0d0d", false},
		"another tenant":       {Filter{Tenant: "acm"}, "", false},
		"a release":            {Filter{Release: "acme-65d5c447b420da3fb12381c1"}, "77aa77 150188 99ff99", false},
		"a workload":           {Filter{Release: "shop"}, "77aa77 150188 99ff99", false},
		"a runtime id":         {Filter{Release: "65d5c447b420da3fb12381c2"}, "5aab46", false},
		"a pool":               {Filter{Release: "65d5c447b420da3fb12381bc"}, "0d0d0d", false},
		"a workload of G1":     {Filter{Release: "Old Shop"}, "0ff1ce", false},
		"since":                {Filter{Since: now.Add(-2 * time.Minute)}, "77aa77 0a1b2c", false},
	} {
		t.Run(name, func(t *testing.T) {
			list, more, err := List(state(t), test.filter, now)
			must(t, err)
			got := make([]string, len(list))
			for i, s := range list {
				got[i] = s.ID[len(s.ID)-6:]
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" || more != test.more {
				t.Errorf("more: %v; %s", more, diff)
			}
		})
	}
}

func TestARunIsFoundByWhatAPersonHasAtHand(t *testing.T) {
	for what, want := range map[string]string{
		"150188":                         "150188",
		"20261126T034257.823627Z-150188": "150188",
		"20261126T034257.823627Z-workload-deployed-acme-65d5c447b420da3fb12381c1-150188": "150188",
		"acme-65d5c447b420da3fb12381c1": "77aa77",
		"Broken":                        "5aab46",
		"65d5c447b420da3fb12381c3":      "0a1b2c",
		"acme-old-shop":                 "0ff1ce",
	} {
		run, err := Find(state(t), what)
		if err != nil || run.RandomEnd() != want {
			t.Errorf("%s: got %+v, %v", what, run, err)
		}
	}
	for _, what := range []string{"", "123456", "new-123", "..", "acme-65d5c447b420da3fb12381"} {
		if run, err := Find(state(t), what); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "octo-operator runs lists them") {
			t.Errorf("%q: got %+v, %v", what, run, err)
		}
	}
}

func TestTheOtherRunsOfAReleaseAreKnown(t *testing.T) {
	for of, want := range map[string]string{"150188": "77aa77 99ff99", "77aa77": "150188 99ff99", "5aab46": "", "0ff1ce": ""} {
		run, err := Find(state(t), of)
		must(t, err)
		others, err := SameLane(state(t), run)
		must(t, err)
		var got []string
		for _, other := range others {
			got = append(got, other.RandomEnd())
		}
		if diff := cmp.Diff(want, strings.Join(got, " ")); diff != "" {
			t.Errorf("beside %s: %s", of, diff)
		}
	}
}

func TestTheStepsOfATimelineLastAsLongAsTheyDid(t *testing.T) {
	begin := now.Add(-time.Minute)
	at := func(seconds int, kind runs.Kind, name string) runs.Moment {
		return runs.Moment{Time: begin.Add(time.Duration(seconds) * time.Second), Kind: kind, Name: name}
	}
	for name, test := range map[string]struct {
		timeline []runs.Moment
		ended    bool
		want     string
	}{
		"none": {nil, false, ""},
		"a run to its end": {[]runs.Moment{
			at(0, runs.KindAccepted, ""), at(0, runs.KindWait, "slot"), at(2, runs.KindPhase, "install"), at(3, runs.KindScript, "a"), at(4, runs.KindCommand, "x"),
			at(7, runs.KindCommand, "y"), at(9, runs.KindExit, "a"), at(10, runs.KindPhase, "ready"), at(12, runs.KindEnd, "failed"),
		}, true, "accepted:0 slot:2 install:8 a:6 x:3 y:2 ready:2 failed:0"},
		"one that runs":            {[]runs.Moment{at(0, runs.KindPhase, "install"), at(1, runs.KindScript, "a"), at(50, runs.KindCommand, "x")}, false, "install:60… a:59… x:10…"},
		"a script of two phases":   {[]runs.Moment{at(0, runs.KindPhase, "check"), at(1, runs.KindScript, "a"), at(3, runs.KindPhase, "install"), at(7, runs.KindExit, "a"), at(8, runs.KindEnd, "failed")}, true, "check:3 a:6 install:5 failed:0"},
		"an end that is missing":   {[]runs.Moment{at(0, runs.KindPhase, "install"), at(1, runs.KindScript, "a")}, true, "install:60 a:59"},
		"a life that ended":        {[]runs.Moment{at(0, runs.KindPhase, "run"), at(1, runs.KindScript, "a"), at(5, runs.KindResumed, ""), at(6, runs.KindScript, "a"), at(8, runs.KindExit, "a")}, true, "run:5 a:4 resumed:0 a:2"},
		"an exit without a script": {[]runs.Moment{at(0, runs.KindExit, "a"), at(1, runs.KindEnd, "succeeded")}, true, "a:0 succeeded:0"},
		"a clock that went back":   {[]runs.Moment{at(5, runs.KindPhase, "look"), at(1, runs.KindPhase, "chart"), at(2, runs.KindEnd, "succeeded")}, true, "look:0 chart:1 succeeded:0"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			for _, s := range steps(test.timeline, now, test.ended) {
				label := s.Name
				if label == "" {
					label = string(s.Kind)
				}
				got += " " + label + ":" + time.Duration(s.Seconds*float64(time.Second)).String()
				if s.Open {
					got += "…"
				}
			}
			got = strings.TrimSpace(strings.NewReplacer("1m0s", "60", "s ", " ", "s…", "…").Replace(got + " "))
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// ended makes an ended run with the files of one step.
func ended(t *testing.T, script string, inputs map[string]string, files ...string) *runs.Run {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "it's a state")
	store, err := runs.Open(dir)
	must(t, err)
	run, err := store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{}`)}, "octo/acme")
	must(t, err)
	library := filepath.Join(dir, "lib.sh")
	must(t, os.WriteFile(library, nil, 0o600))
	must(t, os.WriteFile(filepath.Join(dir, script), nil, 0o700))
	env := "export OCTO_LIB=" + exec.Quote([]string{library}) + "\n"
	for name, value := range inputs {
		env += "export " + name + "=" + exec.Quote([]string{value}) + "\n"
	}
	must(t, run.Write("env", []byte(env)))
	must(t, run.Write("rerun", []byte("#!/bin/sh\nset -eu\nexec sh "+exec.Quote([]string{filepath.Join(dir, script)})+"\n")))
	for _, file := range files {
		must(t, run.Write(file, nil))
	}
	must(t, run.Finish(runs.Result{Outcome: runs.Failed}, nil))
	return run
}

func TestAStepIsRunAgainOnlyWithAllThatItNeeds(t *testing.T) {
	for name, test := range map[string]struct {
		run  *runs.Run
		then func(*runs.Run) error
		want string
	}{
		"a deploy":                  {run: ended(t, "workload-deploy", nil, "chart.tgz", "values.yaml")},
		"a deploy without a chart":  {run: ended(t, "workload-deploy", nil, "values.yaml"), want: "chart.tgz is gone"},
		"a deploy without values":   {run: ended(t, "workload-deploy", nil, "chart.tgz"), want: "values.yaml is gone"},
		"an undeploy":               {run: ended(t, "workload-undeploy", nil)},
		"a pull with credentials":   {run: ended(t, "chart-pull", map[string]string{"OCTO_CREDENTIALS": "true"}), want: "credentials, which were removed"},
		"a pull without":            {run: ended(t, "chart-pull", map[string]string{"OCTO_CREDENTIALS": "false"})},
		"a pool without a resource": {run: ended(t, "pool-deploy", nil), want: "pool.yaml is gone"},
		"no step": {run: ended(t, "workload-scale", nil), then: func(r *runs.Run) error { return r.Remove("rerun") },
			want: "ended before its script began"},
		"one that has not ended": {run: ended(t, "workload-scale", nil), then: func(r *runs.Run) error { return r.Remove("result.json") },
			want: "it has not ended"},
		"scripts that are gone": {run: ended(t, "workload-scale", nil), then: func(r *runs.Run) error { return os.Remove(LastStep(r)) },
			want: "its script is gone"},
	} {
		t.Run(name, func(t *testing.T) {
			if test.then != nil {
				must(t, test.then(test.run))
			}
			got := Read(test.run, now).NoRerun
			if test.want == "" && got != "" || !strings.Contains(got, test.want) {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestAnEventWhoseCallbackIsNotKnownIsShownWithoutSecretsToo(t *testing.T) {
	run := ended(t, "workload-scale", nil)
	must(t, run.Write("event.json", []byte(`{"callback":"WorkloadDeployedTwice","argument":{"repositoryPassword":"planted","values":[{"value":"planted","isSecret":true}]}}`)))
	if got := string(Read(run, now).Event); strings.Contains(got, "planted") || !strings.Contains(got, hub.RemovedSecret) {
		t.Errorf("got %s", got)
	}
}

func TestAFileThatIsNoneIsNotWaitedFor(t *testing.T) {
	run := ended(t, "workload-scale", nil)
	must(t, os.MkdirAll(run.Path("output.log"), 0o700))
	if s := Read(run, now); s.Output.Text != "" || s.Outcome != runs.Failed {
		t.Errorf("got %+v", s)
	}
}

func TestOnlyTheEndOfALongOutputIsRead(t *testing.T) {
	run := ended(t, "workload-scale", nil)
	must(t, run.Write("output.log", []byte(strings.Repeat("first\n", maxTail)+"last\n")))
	must(t, run.Write("values.yaml", []byte(strings.Repeat("a", maxText+7))))
	s := Read(run, now)
	if out := s.Output; !strings.HasSuffix(out.Text, "\nlast\n") || !strings.HasPrefix(out.Text, "first\n") ||
		out.LeftOut+int64(len(out.Text)) != 6*maxTail+5 || len(out.Text) > maxTail {
		t.Errorf("%d bytes of output, %d left out", len(out.Text), out.LeftOut)
	}
	if v := s.Values; len(v.Text) != maxText || v.LeftOut != 7 {
		t.Errorf("%d bytes of values, %d left out", len(v.Text), v.LeftOut)
	}
}

// TestNoFileOfARunIsWaitedFor: a script may leave named pipes in the run directory, or links to endless files.
func TestNoFileOfARunIsWaitedFor(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"pipes":             func(path string) error { return syscall.Mkfifo(path, 0o600) },
		"files without end": func(path string) error { return os.Symlink("/dev/zero", path) },
		"directories":       func(path string) error { return os.Mkdir(path, 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			store, err := runs.Open(t.TempDir())
			must(t, err)
			run, err := store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{"tenantId":"acme"}`)}, "octo/acme-shop")
			must(t, err)
			must(t, run.Remove("event.json"))
			for _, file := range []string{"event.json", "result.json", "timeline.jsonl", "begun", "env", "rerun", "values.yaml", ChangesFile, "output.log"} {
				must(t, put(run.Path(file)))
			}
			if s := Read(run, time.Now()); len(s.Damaged) != 2 || s.Outcome != Unreadable || len(s.Timeline) > 0 {
				t.Errorf("got %+v", s)
			}
			must(t, run.Remove("result.json"))
			if s := Read(run, time.Now()); s.Outcome != Waiting {
				t.Errorf("got %+v", s)
			}
			if _, err := run.Event(); err == nil {
				t.Error("an event was read")
			}
		})
	}
}
