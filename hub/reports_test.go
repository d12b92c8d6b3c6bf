package hub

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

const (
	status   = "ReportWorkloadDeploymentStatusAsync"
	progress = "ReportWorkloadDeploymentProgressAsync"
)

// statusReport is a report of one workload and what its Delivered is called with.
func statusReport(n int, message string) (Report, <-chan error) {
	delivered := make(chan error, 10)
	return Report{
		Method: status, Key: fmt.Sprint(n), Delivered: func(err error) { delivered <- err },
		Arguments: []any{WorkloadDeploymentStatus{
			TenantID: tenant, WorkloadName: fmt.Sprint(n), WorkloadRtID: rtID24(n), StatusMessage: message,
		}},
	}, delivered
}

func progressReport(n int) (Report, <-chan error) {
	delivered := make(chan error, 10)
	return Report{
		Method: progress, Delivered: func(err error) { delivered <- err },
		Arguments: []any{WorkloadDeploymentProgress{
			TenantID: tenant, WorkloadName: fmt.Sprint(n), WorkloadRtID: rtID24(n), Message: "waits",
		}},
	}, delivered
}

// delivered are the status reports that the controller accepted: workload and message, in order.
func delivered(controller *devcontroller.Server) (got []string) {
	for _, call := range controller.Calls() {
		var report WorkloadDeploymentStatus
		if call.Method == status && call.Error == "" && call.Arg(0, &report) == nil {
			got = append(got, report.WorkloadName+report.StatusMessage)
		}
	}
	return got
}

func wantDelivered(t *testing.T, controller *devcontroller.Server, want ...string) {
	t.Helper()
	if got := delivered(controller); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the controller got %q, want %q", got, want)
	}
	wantNoViolations(t, controller)
}

func wantNil(ctx context.Context, t *testing.T, from <-chan error) {
	t.Helper()
	if err := receive(ctx, t, from, "the delivery of a report"); err != nil {
		t.Errorf("not delivered: %v", err)
	}
}

func TestReportsAreDeliveredInOrder(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	var want []string
	var last <-chan error
	for i := range 100 {
		var r Report
		r, last = statusReport(i, "!")
		operator.Report(r)
		want = append(want, fmt.Sprintf("%d!", i))
	}
	wantNil(ctx, t, last)
	wantDelivered(t, controller, want...)
}

func TestReportsMadeWhileDisconnectedAreDeliveredTheNewestOfEachWorkload(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	must(t, controller.Close())
	operator.log.wait(ctx, t, "not connected to the controller")

	older, replaced := statusReport(1, " failed")
	other, otherDelivered := statusReport(2, " failed")
	newer, newerDelivered := statusReport(1, " deployed")
	for _, r := range []Report{older, other, newer} {
		operator.Report(r)
	}
	if err := receive(ctx, t, replaced, "the end of the older report"); err == nil {
		t.Error("the older report counts as delivered")
	}
	must(t, controller.Start(""))
	wantNil(ctx, t, otherDelivered)
	wantNil(ctx, t, newerDelivered)
	wantDelivered(t, controller, "2 failed", "1 deployed")
}

func TestAReportWithoutAnAnswerIsDeliveredOverTheNextConnection(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	called, release := make(chan struct{}, 10), make(chan struct{})
	controller.OnInvoke(status, func(devcontroller.Call) (any, error) {
		called <- struct{}{}
		<-release
		return nil, nil
	})
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	report, done := statusReport(1, "!")
	operator.Report(report)
	receive(ctx, t, called, "the report")
	controller.DropConnections()
	operator.log.wait(ctx, t, "not connected to the controller")
	close(release)
	wantNil(ctx, t, done)
	if operator.log.count("report rejected") > 0 {
		t.Error("the loss of the connection was taken for a rejection")
	}
	wantNoViolations(t, controller)
}

func TestARejectedReportIsTriedAgainWithoutHoldingUpOthers(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.FailNext(status, 1, "warming up")
	operator := startOperator(t, controller.URL())
	first, firstDone := statusReport(1, "!")
	second, secondDone := statusReport(2, "!")
	operator.Report(first)
	operator.Report(second)
	wantNil(ctx, t, secondDone)
	wantNil(ctx, t, firstDone)
	wantDelivered(t, controller, "2!", "1!")
	if operator.log.count("report rejected", "warming up") != 1 {
		t.Error("the rejection was not logged")
	}
}

// A controller keeps the last status: an old one must never come after a newer one.
func TestARejectedReportIsNotTriedAgainAfterANewerOne(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.FailNext(status, 1, "warming up")
	operator := startOperator(t, controller.URL())
	older, olderDone := statusReport(1, " failed")
	newer, newerDone := statusReport(1, " deployed")
	operator.Report(older)
	operator.log.wait(ctx, t, "report rejected")
	operator.Report(newer)
	wantNil(ctx, t, newerDone)
	if err := receive(ctx, t, olderDone, "the end of the older report"); err == nil {
		t.Error("the older report was delivered after the newer one")
	}
	wantDelivered(t, controller, "1 deployed")
}

func TestAMethodThatTheControllerLacksGivesOneWarning(t *testing.T) {
	for name, options := range map[string]devcontroller.Options{
		"G1":              {Generation: devcontroller.G1},
		"G3 in its youth": {Lacks: []string{progress}},
		"without details": {Lacks: []string{progress}, HideErrorDetails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			controller := startController(t, options)
			operator := startOperator(t, controller.URL())
			operator.untilRegistered(ctx, t)
			for i := range 5 {
				report, done := progressReport(i)
				operator.Report(report)
				receive(ctx, t, done, "the end of a report")
			}
			const warning = "the controller lacks a method"
			if n := operator.log.count(`"level":"WARN"`, warning, progress); n != 1 {
				t.Errorf("got %d warnings, want 1", n)
			}
			if n := calls(controller, progress); n != 1 {
				t.Errorf("the controller was asked %d times, want 1", n)
			}
			wantUnbroken(t, controller)

			// It may be another controller after a reconnect.
			controller.DropConnections()
			operator.untilRegistered(ctx, t)
			report, done := progressReport(6)
			operator.Report(report)
			receive(ctx, t, done, "the end of a report")
			if n := calls(controller, progress); n != 2 {
				t.Errorf("after a reconnect the controller was asked %d times in all, want 2", n)
			}
		})
	}
}

func TestATransientReportIsThrownAwayWithoutAConnection(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	must(t, controller.Close())
	operator.log.wait(ctx, t, "not connected to the controller")
	operator.Report(Report{Method: "UnregisterPoolAsync", Arguments: []any{tenant, poolID}, Transient: true})
	must(t, controller.Start(""))
	report, done := statusReport(1, "!")
	operator.Report(report)
	wantNil(ctx, t, done)
	if n := calls(controller, "UnregisterPoolAsync"); n != 0 {
		t.Errorf("it was sent %d times", n)
	}
}

func calls(controller *devcontroller.Server, method string) (n int) {
	for _, call := range controller.Calls() {
		if call.Method == method {
			n++
		}
	}
	return n
}

func TestAWithdrawnReportIsNotDelivered(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.FailNext(status, 1, "warming up")
	operator := startOperator(t, controller.URL())
	withdrawn, end := statusReport(1, " deployed")
	operator.Report(withdrawn)
	operator.log.wait(ctx, t, "report rejected")
	operator.Withdraw(status, "2")
	operator.Withdraw(progress, "1")
	select {
	case err := <-end:
		t.Fatalf("withdrawn with another: %v", err)
	default:
	}
	operator.Withdraw(status, "1")
	if receive(ctx, t, end, "the end of the report") == nil {
		t.Error("it counts as delivered")
	}
	operator.Withdraw(status, "1") // the report is gone
	wantDelivered(t, controller)
}

func TestAReportThatIsWithdrawnOrReplacedWhileItIsSentDoesNotComeBack(t *testing.T) {
	for name, test := range map[string]struct {
		give func(*operator)
		want []string
	}{
		"withdrawn": {func(o *operator) { o.Withdraw(status, "1") }, nil},
		"replaced": {func(o *operator) {
			newer, _ := statusReport(1, " deployed")
			o.Report(newer)
		}, []string{"1 deployed"}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
				ctx := testContext(t)
				called, release := make(chan struct{}, 10), make(chan struct{})
				controller.OnInvoke(status, func(devcontroller.Call) (any, error) {
					called <- struct{}{}
					<-release
					return nil, errors.New("warming up")
				})
				report, end := statusReport(1, " failed")
				operator.Report(report)
				receive(ctx, t, called, "the report")
				test.give(operator)
				if receive(ctx, t, end, "the end of the report") == nil {
					t.Error("it counts as delivered")
				}
				release <- struct{}{}
				controller.OnInvoke(status, nil)
				time.Sleep(time.Hour)
				if got := delivered(controller); fmt.Sprint(got) != fmt.Sprint(test.want) {
					t.Errorf("the controller got %q, want %q", got, test.want)
				}
				if len(end) > 0 {
					t.Error("its end was told twice")
				}
			})
		})
	}
}

func TestAReportThatIsTooLongIsGivenUpAndDisturbsNothing(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		ctx := testContext(t)
		operator.untilRegistered(ctx, t)
		tooLong, end := statusReport(1, strings.Repeat("x", maxFrame))
		operator.Report(tooLong)
		if receive(ctx, t, end, "the end of the report") == nil {
			t.Error("it counts as delivered")
		}
		longest, end := statusReport(2, strings.Repeat("x", maxFrame-300))
		operator.Report(longest)
		wantNil(ctx, t, end)
		operator.log.wait(ctx, t, `"level":"ERROR"`, "report given up", status)
		wantUnbroken(t, controller)
	})
}

func TestAReportThatEndsTheConnectionDoesNotHoldUpOthers(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		controller.OnInvoke(status, func(call devcontroller.Call) (any, error) {
			var report WorkloadDeploymentStatus
			if err := call.Arg(0, &report); err != nil || report.WorkloadName == "1" {
				controller.DropConnections()
			}
			return nil, nil
		})
		var last <-chan error
		for i := 1; i < 5; i++ {
			var report Report
			report, last = statusReport(i, "!")
			operator.Report(report)
		}
		wantNil(testContext(t), t, last)
	})
}

func TestAnAnswerThatComesTooLateLeavesNothingBehind(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		late := true
		controller.OnInvoke(status, func(devcontroller.Call) (any, error) {
			if late {
				late = false
				time.Sleep(invokeTimeout + time.Second)
			}
			return "taken", nil
		})
		report, end := statusReport(1, "!")
		operator.Report(report)
		wantNil(t.Context(), t, end)
		wantUnbroken(t, controller)
		// The bubble fails when goroutines are left.
	})
}
