package runs

import (
	"os"
	"reflect"
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
}
