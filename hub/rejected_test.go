package hub

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

func TestWhatTheControllerRejectsForTenMinutesItGetsInTheEndTheNewestOfEachWorkload(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		for _, method := range []string{registerPool, status} {
			controller.FailNext(method, -1, "warming up")
		}
		for i := range 20 {
			operator.RegisterPool(Pool{TenantID: tenant, PoolRtID: rtID24(i)})
		}
		var outcomes []<-chan error
		for i := range 20 {
			report, outcome := statusReport(i, " old")
			operator.Report(report)
			if i%2 == 0 {
				outcomes = append(outcomes, outcome)
			}
		}
		time.Sleep(5 * time.Minute)
		for i := 1; i < 20; i += 2 {
			report, outcome := statusReport(i, " new")
			operator.Report(report)
			outcomes = append(outcomes, outcome)
		}
		time.Sleep(5 * time.Minute)
		for _, method := range []string{registerPool, status} {
			controller.FailNext(method, 0, "")
		}
		time.Sleep(longestReportWait + time.Minute)

		for _, outcome := range outcomes {
			wantNil(t.Context(), t, outcome)
		}
		got := delivered(controller)
		slices.Sort(got)
		var want []string
		for i := range 20 {
			want = append(want, fmt.Sprint(i, []string{" old", " new"}[i%2]))
		}
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("the controller got %q, want %q", got, want)
		}
		if n := len(controller.Connections()[0].Registered); n != 20 {
			t.Errorf("%d pools are registered, want 20", n)
		}
		wantUnbroken(t, controller)
	})
}

func TestARejectedReportIsNeverGivenUpAndTriedMoreAndMoreSeldom(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		controller.FailNext(status, -1, "warming up")
		report, outcome := statusReport(1, "!")
		operator.Report(report)
		time.Sleep(6 * time.Hour)
		var waits []time.Duration
		last := time.Time{}
		for _, call := range controller.Calls() {
			if call.Method == status {
				if !last.IsZero() {
					waits = append(waits, call.Time.Sub(last))
				}
				last = call.Time
			}
		}
		if first := waits[0]; first < firstReportWait/2 || first > firstReportWait*3/2 {
			t.Errorf("the first wait is %s", first)
		}
		if longest := slices.Max(waits); longest > longestReportWait || longest < longestReportWait*8/10 {
			t.Errorf("the longest wait is %s", longest)
		}
		if early := waits[:6]; slices.Max(early) > 4*time.Minute { // 5 s doubled five times, and the jitter
			t.Errorf("the first waits are %s", early)
		}
		if n := len(waits); n < 6*12 || n > 6*40 {
			t.Errorf("it was tried %d times in 6 hours", n)
		}
		controller.FailNext(status, 0, "")
		wantNil(t.Context(), t, outcome)
	})
}
