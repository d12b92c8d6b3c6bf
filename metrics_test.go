package main

import (
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch"
	"octo-operator/dispatch/runs"
	"octo-operator/web"
)

func TestTheQueueIsCountedByWhatEventsWaitFor(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	got := queueOf([]dispatch.Work{
		{ID: "1", Came: now.Add(-3 * time.Hour), Phase: runs.PhaseInstall},
		{ID: "2", Came: now.Add(-2 * time.Hour), Wait: runs.WaitRetry, Since: now.Add(-time.Second)},
		{ID: "3", Came: now.Add(-time.Hour), Wait: runs.WaitRetry},
		{ID: "4", Came: now, Wait: runs.WaitSlot},
	}, now)
	want := web.Queue{Running: 1, Waiting: map[string]web.Waiting{
		runs.WaitRetry: {Events: 2, Oldest: 2 * time.Hour}, runs.WaitSlot: {Events: 1},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestMetricsAreMeasuredByWhatHappensInEvents(t *testing.T) {
	m := web.NewMetrics(web.State{
		Generation: func() string { return "" }, Pools: func() int { return 0 }, Able: func() bool { return true }, Leads: func() bool { return true },
		Queue: func() web.Queue { return web.Queue{} }, Reports: func() int { return 0 },
	}, knownLabels())
	tell, at, run := measure(m), time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC), &runs.Run{ID: "x"}
	for _, h := range []dispatch.Happening{
		{Moment: runs.Moment{Kind: runs.KindAccepted}},
		{Moment: runs.Moment{Kind: runs.KindPhase, Name: runs.PhaseChart}},
		{Moment: runs.Moment{Kind: runs.KindWait, Name: runs.WaitRetry}, Cause: dispatch.Outage},
		{Moment: runs.Moment{Kind: runs.KindPhase, Name: runs.PhaseReady}},
		{Moment: runs.Moment{Kind: runs.KindWait, Name: runs.WaitPods}},
		{Moment: runs.Moment{Kind: runs.KindExit, Name: "workload-deploy", CPU: 1.5, Memory: 1 << 20}},
		{Moment: runs.Moment{Kind: runs.KindEnd, Name: string(runs.Succeeded)}},
	} {
		h.Run, h.Time = run, at
		at = at.Add(time.Second)
		tell(h)
	}
	served := httptest.NewRecorder()
	m.Handler().ServeHTTP(served, httptest.NewRequest("GET", "/metrics", nil))
	for _, line := range []string{
		`octo_operator_phase_seconds_sum{phase="chart"} 1`,
		`octo_operator_phase_seconds_sum{phase="ready"} 3`,
		`octo_operator_wait_seconds_sum{reason="retry"} 1`,
		`octo_operator_retries_total{cause="outage"} 1`,
		`octo_operator_script_cpu_seconds_total{script="workload-deploy"} 1.5`,
	} {
		if !strings.Contains(served.Body.String(), line+"\n") {
			t.Errorf("no line %q in\n%s", line, served.Body)
		}
	}
	for _, cause := range dispatch.RetryCauses {
		if line := fmt.Sprintf("octo_operator_retries_total{cause=%q}", cause.Label()); cause.Label() == "" || !strings.Contains(served.Body.String(), line) {
			t.Errorf("the cause %q is not counted from the beginning", cause)
		}
	}
}
