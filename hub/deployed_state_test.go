package hub

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// deployedPool is a pool with a number of workloads.
func deployedPool(n, workloads int) DeployedPool {
	p := DeployedPool{Pool: Pool{TenantID: tenant, PoolRtID: rtID24(n)}, WorkloadRtIDs: []string{}}
	for i := range workloads {
		p.WorkloadRtIDs = append(p.WorkloadRtIDs, rtID24(i))
	}
	return p
}

// reported returns how many workloads of each pool were reported, in all calls together.
func reported(t *testing.T, controller *devcontroller.Server) map[string]int {
	t.Helper()
	workloads := map[string]int{}
	for _, call := range controller.Calls() {
		if call.Method != methodDeployedState {
			continue
		}
		var part []DeployedPool
		must(t, call.Arg(0, &part))
		for _, pool := range part {
			if _, twice := workloads[pool.ID()]; twice {
				t.Errorf("pool %s was reported twice", pool.ID())
			}
			workloads[pool.ID()] = len(pool.WorkloadRtIDs)
		}
	}
	return workloads
}

func TestTheDeployedStateIsReportedInMessagesThatTheControllerTakes(t *testing.T) {
	for _, generation := range []devcontroller.Generation{devcontroller.G3, devcontroller.G4} {
		for _, workloads := range []int{0, 1, 100, 1000} {
			t.Run(fmt.Sprint(generation, " with ", workloads, " workloads"), func(t *testing.T) {
				t.Parallel()
				ctx := testContext(t)
				controller := startController(t, devcontroller.Options{Generation: generation})
				operator := startOperator(t, controller.URL(), central)
				operator.untilRegistered(ctx, t)
				var pools []DeployedPool
				for i := range 40 {
					pools = append(pools, deployedPool(i, workloads))
				}
				must(t, operator.ReportDeployedState(ctx, pools))
				got := reported(t, controller)
				for _, pool := range pools {
					if got[pool.ID()] != workloads {
						t.Errorf("pool %s was reported with %d workloads", pool.ID(), got[pool.ID()])
					}
				}
				if len(got) != len(pools) {
					t.Errorf("%d pools were reported", len(got))
				}
				wantUnbroken(t, controller)
			})
		}
	}
}

func TestAPoolWith5000WorkloadsConnectsOnceAndStaysConnected(t *testing.T) {
	inBubble(t, devcontroller.Options{}, func(t *testing.T, operator *operator, controller *devcontroller.Server) {
		ctx := t.Context()
		operator.untilRegistered(ctx, t)
		large, small := deployedPool(1, 5000), deployedPool(2, 3)
		for range 3 {
			must(t, operator.ReportDeployedState(ctx, []DeployedPool{large, small}))
			time.Sleep(time.Hour)
		}
		for _, call := range controller.Calls() {
			var pools []DeployedPool
			if call.Method != methodDeployedState {
				continue
			}
			must(t, call.Arg(0, &pools))
			if len(pools) != 2 || pools[0].WorkloadRtIDs == nil || len(pools[0].WorkloadRtIDs) != 0 || len(pools[1].WorkloadRtIDs) != 3 {
				t.Errorf("reported %.500s", call)
			}
		}
		if n := operator.log.count(`"level":"WARN"`, large.ID(), "5000"); n != 1 {
			t.Errorf("got %d warnings, want 1", n)
		}
		wantUnbroken(t, controller)
	})
}

func TestTheDeployedStateThatIsNotTakenIsTheCallersToRepeat(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL(), central)
	operator.untilRegistered(ctx, t)
	controller.FailNext(methodDeployedState, 1, "warming up")
	pools := []DeployedPool{deployedPool(1, 1)}
	rejected := (*rejectedError)(nil)
	if err := operator.ReportDeployedState(ctx, pools); !errors.As(err, &rejected) {
		t.Errorf("got %v, want a rejection", err)
	}
	must(t, operator.ReportDeployedState(ctx, pools))
	must(t, controller.Close())
	operator.log.wait(ctx, t, "not connected to the controller")
	if err := operator.ReportDeployedState(ctx, pools); err == nil || errors.Is(err, ErrUnsupported) {
		t.Errorf("without a connection: got %v", err)
	}
}

func TestAControllerThatCannotBeToldTheDeployedStateIsAskedOnce(t *testing.T) {
	for name, test := range map[string]struct {
		options         devcontroller.Options
		calls, warnings int
	}{
		"G1":         {devcontroller.Options{Generation: devcontroller.G1}, 0, 0},
		"a young G3": {devcontroller.Options{Lacks: []string{methodDeployedState}}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			controller := startController(t, test.options)
			operator := startOperator(t, controller.URL(), central)
			operator.untilRegistered(ctx, t)
			if err := operator.ReportDeployedState(ctx, []DeployedPool{deployedPool(1, 1)}); !errors.Is(err, ErrUnsupported) {
				t.Errorf("got %v, want ErrUnsupported", err)
			}
			if n := calls(controller, methodDeployedState); n != test.calls {
				t.Errorf("the controller was asked %d times, want %d", n, test.calls)
			}
			if n := operator.log.count(`"level":"WARN"`, methodDeployedState); n != test.warnings {
				t.Errorf("got %d warnings, want %d", n, test.warnings)
			}
		})
	}
}

func TestAPoolThatOnlyG1KnowsIsNotReportedToALaterController(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL(), central)
	operator.untilRegistered(ctx, t)
	left := DeployedPool{Pool: Pool{TenantID: tenant, PoolName: "main"}, WorkloadRtIDs: []string{}}
	must(t, operator.ReportDeployedState(ctx, []DeployedPool{left, deployedPool(1, 0)}))
	if got := reported(t, controller); len(got) != 1 {
		t.Errorf("reported %v", got)
	}
	wantUnbroken(t, controller)
}
