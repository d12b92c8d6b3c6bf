package page

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
)

func TestEachLineOfTheOutputIsReadOnceHoweverItIsAskedFor(t *testing.T) {
	r := newRig(t)
	run := r.newRun("Shop", "", "")
	output, err := run.OpenOutput()
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	path, got, next := "/api/runs/"+run.ID+"/output", "", int64(0)
	follow := func() {
		t.Helper()
		for {
			part := getJSON[outputPart](r, fmt.Sprintf("%s?from=%d", path, next))
			if got += part.Text; part.Next == next {
				return
			}
			next = part.Next
		}
	}
	follow() // there is no output yet
	for i := range 3 {
		for j := range 2000 {
			output.Line(time.Now(), "stdout", fmt.Sprintf("line %d of part %d, with a few more words, so that it is as long as usual ü", j, i))
		}
		follow()
	}
	whole, err := os.ReadFile(run.Path("output.log"))
	if err != nil || got != string(whole) || len(whole) < 3*mostOutput {
		t.Fatalf("read were %d of %d bytes: %v", len(got), len(whole), err)
	}
	end := getJSON[outputPart](r, path)
	if !strings.HasSuffix(got, end.Text) || end.From != int64(len(whole)-len(end.Text)) || end.From == 0 || end.Next != int64(len(whole)) || end.Ended {
		t.Errorf("the end is %d bytes from %d to %d", len(end.Text), end.From, end.Next)
	}
	appendTo(t, run.Path("output.log"), "a line that is being wri")
	follow()
	if got != string(whole) {
		t.Errorf("half a line was read")
	}
	appendTo(t, run.Path("output.log"), "tten\nthe last one, without an end")
	if err := run.Finish(runs.Result{Outcome: runs.Succeeded}, nil); err != nil {
		t.Fatal(err)
	}
	follow()
	if !strings.HasSuffix(got, "a line that is being written\nthe last one, without an end") {
		t.Errorf("read was …%s", got[len(got)-100:])
	}
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err == nil {
		_, err = f.WriteString(text)
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestNobodyGetsMoreThanABrowserCanShow(t *testing.T) {
	r := newRig(t)
	run := r.newRun("Shop", runs.Succeeded, "")
	r.now = Now{Work: make([]Work, 3000), Pools: make([]Pool, 600)}
	r.source.Values = func(context.Context, *runs.Run) ([]Value, error) {
		return slices.Repeat([]Value{{Path: "a", Value: strings.Repeat("x", 1<<20)}}, 6000), nil
	}
	r.page = New(r.source)
	now := getJSON[nowShown](r, "/api/now")
	if len(now.Work) != most || now.MoreWork != 2500 || len(now.Pools) != most || now.MorePools != 100 {
		t.Errorf("%d and %d, %d and %d", len(now.Work), now.MoreWork, len(now.Pools), now.MorePools)
	}
	values := getJSON[shownValues](r, "/api/runs/"+run.ID+"/values")
	if len(values.Values) != mostValues || values.More != 1000 || len(values.Values[0].Value) > mostValue+10 {
		t.Errorf("%d values and %d more, the first has %d bytes", len(values.Values), values.More, len(values.Values[0].Value))
	}
}

// BenchmarkTheListOf10000Runs measures the first request of the page, and a search that finds nothing.
func BenchmarkTheListOf10000Runs(b *testing.B) {
	r := newRig(b)
	var all []runs.New
	for i := range 10_000 {
		all = append(all, runs.New{Event: event(fmt.Sprintf("Shop %d", i)), Lane: "release/octo/acme-65d5c447b420da3fb12381c1"})
	}
	for part := range slices.Chunk(all, 500) {
		created, err := r.store.CreateAll(part)
		if err != nil {
			b.Fatal(err)
		}
		for _, run := range created {
			if err := os.WriteFile(run.Path("result.json"), []byte(`{"outcome":"succeeded","seconds":1.5,"ended":"2026-01-01T00:00:00Z"}`), 0o600); err != nil {
				b.Fatal(err)
			}
		}
	}
	for _, path := range []string{"/api/runs", "/api/runs?q=nothing", "/api/runs/none"} {
		b.Run(path, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.get(path)
			}
		})
	}
}
