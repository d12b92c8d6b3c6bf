package runs

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestATimelineIsReadAsItWasRecordedEvenAfterAKillInTheMiddleOfALine(t *testing.T) {
	run := &Run{ID: "x", Dir: t.TempDir()}
	if got := run.Timeline(); got != nil {
		t.Errorf("a run without a timeline has %v", got)
	}
	until, code := time.Date(2026, 11, 26, 10, 0, 15, 0, time.UTC), 1
	want := []Moment{
		{Time: until.Add(-15 * time.Second), Kind: KindPhase, Name: PhaseChart},
		{Time: until.Add(-14 * time.Second), Kind: KindExit, Name: "chart-pull", ExitCode: &code, CPU: 0.2, Memory: 40 << 20},
		{Time: until.Add(-13 * time.Second), Kind: KindWait, Name: WaitRetry, Text: "the repository is away", Until: &until},
	}
	for _, m := range want {
		run.Record(m)
	}
	f, err := os.OpenFile(run.Path(timelineFile), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(`{"time":"2026-11-26T10:00:16Z","ki`); err != nil {
		t.Fatal(err)
	}
	if got := run.Timeline(); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
	next := &Run{ID: run.ID, Dir: run.Dir} // the next life's
	want = append(want, Moment{Time: until, Kind: KindResumed})
	next.Record(want[len(want)-1])
	if got := next.Timeline(); !reflect.DeepEqual(got, want) {
		t.Errorf("the next life makes of it %v\nwant %v", got, want)
	}
}

func TestATimelineDoesNotGrowWithoutBoundAndKeepsItsBeginAndItsEnd(t *testing.T) {
	run, text := &Run{ID: "x", Dir: t.TempDir()}, strings.Repeat("ä", maxMomentText)
	first := Moment{Time: time.Now().UTC(), Kind: KindAccepted}
	run.Record(first)
	for i := range 500 {
		run.Record(Moment{Time: first.Time, Kind: KindWait, Name: WaitRetry, Text: fmt.Sprint(i, " ", text)})
		if info, err := os.Stat(run.Path(timelineFile)); err != nil || info.Size() > maxTimeline {
			t.Fatalf("%d bytes, %v", info.Size(), err)
		}
	}
	run.Record(Moment{Time: first.Time, Kind: KindEnd, Name: string(Failed)})
	all, cuts := run.Timeline(), 0
	for _, m := range all {
		if m.Kind == KindCut {
			cuts++
		}
	}
	if !reflect.DeepEqual(all[0], first) || all[len(all)-1].Kind != KindEnd || !strings.HasPrefix(all[len(all)-2].Text, "499 ") || cuts != 1 {
		t.Errorf("of %d moments %d say that some are left out; the first is %v, the last %v", len(all), cuts, all[0].Kind, all[len(all)-1].Kind)
	}
}

func TestWhatIsNotOnThisDiskHasNoTimeline(t *testing.T) {
	t.Chdir(t.TempDir())
	(&Run{ID: "x"}).Record(Moment{Kind: KindEnd})
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}
