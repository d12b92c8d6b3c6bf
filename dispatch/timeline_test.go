package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"octo-operator/config"
	"octo-operator/dev/fixtures"
	"octo-operator/dispatch/queue"
	"octo-operator/dispatch/runs"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/kube"
	"octo-operator/scripts"
)

// deployScript is the rig's workload-deploy: it announces two commands, and fails as its input says.
const deployScript = `#!/bin/sh
mark=${OCTO_ANNOUNCE:-+}
echo "$mark helm template shop --dry-run=server" >&2
echo "$mark helm upgrade --install shop --set password=planted" >&2
i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done
[ "$OCTO_FAILS" = false ] || echo "Error: no password planted" >&2
[ "$OCTO_FAILS" = false ]
`

// withScript gives the rig the script.
func (r *rig) withScript(text string) {
	r.Helper()
	own := r.TempDir()
	if err := os.WriteFile(filepath.Join(own, scripts.WorkloadDeploy), []byte(text), 0o700); err != nil {
		r.Fatal(err)
	}
	set, err := scripts.Install(r.TempDir(), own)
	if err != nil {
		r.Fatal(err)
	}
	r.options.Scripts = set
	r.options.Env = []string{"PATH=" + os.Getenv("PATH")}
	r.options.Settings.ScriptDeadline = time.Minute
}

// deployed is a handler's Run with the phases of a deploy.
func deployed(fails bool) func(context.Context, *Task) error {
	return func(ctx context.Context, t *Task) error {
		t.Redact = exec.NewRedactor("planted")
		t.Phase(runs.PhaseLook)
		t.Phase(runs.PhaseCheck)
		t.Phase(runs.PhaseCheck) // it is in it already
		t.OnCommand = func(command string) {
			if strings.Contains(command, "upgrade") {
				t.Phase(runs.PhaseInstall)
			}
		}
		err := t.Script(ctx, scripts.WorkloadDeploy, map[string]string{"FAILS": fmt.Sprint(fails)})
		if err != nil {
			return &RetryError{Final, err} // else the cluster would be asked whether it was away
		}
		return nil
	}
}

// told is a timeline without its times: a moment a line.
func told(moments []runs.Moment) string {
	var all strings.Builder
	last := time.Time{}
	for _, m := range moments {
		fmt.Fprintf(&all, "    %s %s", m.Kind, m.Name)
		if m.Text != "" {
			fmt.Fprintf(&all, " (%s)", m.Text)
		}
		if m.ExitCode != nil {
			fmt.Fprintf(&all, ", exit code %d", *m.ExitCode)
		}
		if m.CPU > 0 && m.Memory > 100<<10 {
			all.WriteString(", with its CPU and memory")
		}
		if m.Until != nil {
			all.WriteString(", until then")
		}
		if m.Time.Before(last) {
			all.WriteString(", EARLIER THAN THE ONE BEFORE")
		}
		last = m.Time
		all.WriteString("\n")
	}
	return all.String()
}

func (r *rig) timelines() string {
	r.Helper()
	all, err := r.store.List()
	if err != nil {
		r.Fatal(err)
	}
	var text strings.Builder
	for i, run := range all {
		fmt.Fprintf(&text, "  event %d\n%s", i+1, told(run.Timeline()))
	}
	return text.String()
}

func TestATimelineTellsAnEventFromItsAcceptanceToItsEnd(t *testing.T) {
	var all strings.Builder
	tell := func(name string, r *rig) { fmt.Fprintf(&all, "%s:\n%s", name, r.timelines()) }

	for _, name := range []string{"good", "failing"} {
		r := newRig(t, Handler{Kind: queue.Deploy, Run: deployed(name == "failing")})
		r.withScript(deployScript)
		d := r.life()
		d.AcceptAll([]hub.Event{deploy("shop")})
		d.Wait()
		tell(name, r)
	}
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		r := newRig(t, Handler{Kind: queue.Deploy, Run: func(ctx context.Context, t *Task) error {
			t.Phase(runs.PhaseChart)
			if tries++; tries == 1 {
				return &RetryError{BeingDeleted, errors.New("not yet")}
			}
			t.Phase(runs.PhaseReady)
			return t.Park(ctx, runs.WaitPods, "pods", false, func() error { time.Sleep(time.Minute); return nil })
		}})
		d := r.life()
		d.AcceptAll([]hub.Event{deploy("shop")})
		d.Wait()
		tell("tried again", r)
	})
	synctest.Test(t, func(t *testing.T) {
		g := &gates{}
		r := newRig(t, Handler{Kind: queue.Deploy, Run: g.run})
		d := r.life()
		for range 3 { // the second waits behind the first until the third comes
			d.AcceptAll([]hub.Event{deploy("shop")})
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		close(g.of("shop"))
		d.Wait()
		tell("superseded", r)
	})
	synctest.Test(t, func(t *testing.T) {
		g := &gates{}
		r := newRig(t, Handler{Kind: queue.Deploy, Run: g.run})
		d := r.life()
		d.AcceptAll([]hub.Event{deploy("shop")})
		synctest.Wait()
		d.Shutdown(time.Minute)
		close(g.of("shop"))
		d = r.life()
		if err := d.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.Wait()
		tell("resumed", r)
	})
	fixtures.Golden(t, "timelines.txt", []byte(all.String()))
}

func TestObserveIsToldTheTimelineAndWhoseItIs(t *testing.T) {
	r := newRig(t, Handler{Kind: queue.Deploy, Run: deployed(false)})
	r.withScript(deployScript)
	d := r.life()
	var mu sync.Mutex
	var moments []runs.Moment
	d.Observe = func(h Happening) {
		mu.Lock()
		defer mu.Unlock()
		moments = append(moments, h.Moment)
		if h.Tenant != "acme" || h.Callback != testCallback || h.Run.ShortID() == "" {
			t.Errorf("got %+v", h)
		}
		d.Work() // may be asked meanwhile
	}
	d.AcceptAll([]hub.Event{deploy("shop")})
	d.Wait()
	if want := told(r.run().Timeline()); told(moments) != want || want == "" {
		t.Errorf("got\n%swant\n%s", told(moments), want)
	}
	if left := d.Work(); len(left) > 0 {
		t.Errorf("not finished: %+v", left)
	}
}

func TestAScriptThatAnnouncesThousandsOfCommandsFillsNeitherItsTimelineNorWhoObservesIt(t *testing.T) {
	r := newRig(t, Handler{Kind: queue.Deploy, Run: deployed(false)})
	r.withScript("#!/bin/sh\ni=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo \"$OCTO_ANNOUNCE helm upgrade $i\"; done >&2\n")
	d := r.life()
	var mu sync.Mutex
	count := map[runs.Kind]int{}
	d.Observe = func(h Happening) {
		mu.Lock()
		defer mu.Unlock()
		count[h.Kind]++
	}
	d.AcceptAll([]hub.Event{deploy("shop")})
	d.Wait()
	if count[runs.KindCommand] != maxCommands || count[runs.KindCut] != 1 || count[runs.KindExit] != 1 || count[runs.KindEnd] != 1 {
		t.Errorf("told of %v", count)
	}
	if all := r.run().Timeline(); len(all) > maxCommands+20 || all[len(all)-1].Kind != runs.KindEnd {
		t.Errorf("%d moments, the last is %+v", len(all), all[len(all)-1])
	}
}

// BenchmarkAnEventToItsFirstCommand is what the course of an event costs before its first command.
func BenchmarkAnEventToItsFirstCommand(b *testing.B) {
	dir := b.TempDir()
	u := newUnfinished(func(Happening) {})
	for i := 0; b.Loop(); i++ {
		run := &runs.Run{ID: fmt.Sprintf("20261126T110000.%06dZ-x-%d", i%1e6, i), Dir: dir, Callback: testCallback}
		c := u.add(run, Place{Tenant: "acme"})
		c.note(runs.Moment{Kind: runs.KindAccepted})
		c.waitsInLane(forCopy)
		c.begin()
		t := &Task{Run: run, course: c}
		for _, phase := range []string{runs.PhaseLook, runs.PhaseChart, runs.PhaseValues, runs.PhaseCheck} {
			t.Phase(phase)
		}
		c.note(runs.Moment{Kind: runs.KindScript, Name: scripts.WorkloadDeploy})
		c.note(runs.Moment{Kind: runs.KindCommand, Name: strings.Repeat("helm upgrade ", 50)})
		c.ends(runs.Result{Outcome: runs.Succeeded}) // with it everything is on disk
	}
}

// BenchmarkWorkOfTenThousand is what Work costs with a large backlog.
func BenchmarkWorkOfTenThousand(b *testing.B) {
	discard := slog.New(slog.DiscardHandler)
	store, err := runs.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := New(ctx, Options{Capacity: config.Capacity{Slots: 2}, Runs: store, Log: discard, Controller: &fakeController{}, Cluster: kube.NewClient(nil, b.TempDir(), discard)})
	defer func() { cancel(); d.Wait() }()
	jobs := make([]*queue.Job, 10000)
	for i := range jobs {
		run := &runs.Run{ID: fmt.Sprintf("20261126T110000.%06dZ-x-%d", i, i), Lane: fmt.Sprint(i)}
		jobs[i] = d.job(Handler{Kind: queue.Other}, run, Place{Lane: fmt.Sprint(i), Tenant: fmt.Sprint("t", i%50)}, discard, nil)
		jobs[i].Run = func(ctx context.Context) { <-ctx.Done() }
	}
	d.lanes.Add(jobs...)
	for b.Loop() {
		if n := len(d.Work()); n != len(jobs) {
			b.Fatalf("%d", n)
		}
	}
}
