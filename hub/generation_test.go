package hub

import (
	"reflect"
	"testing"

	"octo-operator/devcontroller"
)

const registerOperator = "RegisterOperatorAsync"

func TestTheGenerationIsFoundOut(t *testing.T) {
	for _, test := range []struct {
		name       string
		options    devcontroller.Options
		generation Generation
	}{
		{"G1", devcontroller.Options{Generation: devcontroller.G1}, G1},
		{"G1 without details in its errors", devcontroller.Options{Generation: devcontroller.G1, HideErrorDetails: true}, G1},
		{"G3", devcontroller.Options{Generation: devcontroller.G3}, G3},
		{"G3 without details in its errors", devcontroller.Options{Generation: devcontroller.G3, HideErrorDetails: true}, G3},
		{"G4", devcontroller.Options{Generation: devcontroller.G4}, G4},
		{"G4 without details in its errors", devcontroller.Options{Generation: devcontroller.G4, HideErrorDetails: true}, G4},
	} {
		for mode, change := range map[string]func(*setup){"edge": edge, "central": central} {
			t.Run(test.name+" "+mode, func(t *testing.T) {
				t.Parallel()
				ctx := testContext(t)
				controller := startController(t, test.options)
				controller.SetPools(poolThat)
				operator := startOperator(t, controller.URL(), change)
				pools := operator.untilRegistered(ctx, t)

				want, wantMode := pool, mode == "central"
				switch test.generation {
				case G1:
					want = Pool{TenantID: tenant, PoolName: poolID}
				case G4:
					want = Pool{TenantID: tenant, DeploymentSiteRtID: poolID}
				}
				if !reflect.DeepEqual(pools, []Pool{want}) {
					t.Errorf("got the pools %+v, want %+v", pools, want)
				}
				operator.mu.Lock()
				generation := operator.generation
				operator.mu.Unlock()
				if generation != test.generation {
					t.Errorf("got %s, want %s", generation, test.generation)
				}
				told := controller.Connections()[0].Central
				if test.generation != G1 && (told == nil || *told != wantMode) || test.generation == G1 && told != nil {
					t.Errorf("the controller was told mode %v", told)
				}
				if operator.log.count("registered at the controller", `"mode":"`+mode+`"`) != 1 {
					t.Error("the log does not tell the mode")
				}
				wantUnbroken(t, controller)
			})
		}
	}
}

func TestTheGenerationIsFoundOutAgainAfterAReconnect(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{Generation: devcontroller.G1, HideErrorDetails: true})
	operator := startOperator(t, controller.URL(), central)
	for _, test := range []struct {
		generation devcontroller.Generation
		arguments  int
	}{{devcontroller.G1, 0}, {devcontroller.G3, 1}, {devcontroller.G4, 1}, {devcontroller.G1, 0}} {
		controller.SetGeneration(test.generation)
		before := controller.LastSeq()
		controller.DropConnections()
		call, err := controller.WaitFor(ctx, registerOperator, func(c devcontroller.Call) bool {
			return c.Seq > before && c.Generation == test.generation && c.Error == ""
		})
		must(t, err)
		if len(call.Args) != test.arguments {
			t.Errorf("%s: registered with %d arguments, want %d", test.generation, len(call.Args), test.arguments)
		}
		operator.untilRegistered(ctx, t)
	}
	wantNoViolations(t, controller)
}

// A controller that is warming up rejects everything. That makes it no older one.
func TestARejectedRegistrationIsTriedAgainOnANewConnection(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.FailNext(registerOperator, 2, "warming up")
	operator := startOperator(t, controller.URL(), central)
	operator.untilRegistered(ctx, t)
	operator.log.wait(ctx, t, "not connected to the controller", "cannot register the operator", "warming up")
	if operator.log.count(`"registered at the controller"`) != 1 {
		t.Error("registered more than once")
	}
	if told := controller.Connections()[2].Central; told == nil || !*told {
		t.Errorf("the controller was told mode %v", told)
	}
}

// A report of everything that is deployed may be longer than the controller takes in one message.
func TestTheDeployedStateIsReportedInPiecesThatTheControllerTakes(t *testing.T) {
	for _, generation := range []devcontroller.Generation{devcontroller.G3, devcontroller.G4} {
		t.Run(string(generation), func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			controller := startController(t, devcontroller.Options{Generation: generation})
			operator := startOperator(t, controller.URL(), central)
			operator.untilRegistered(ctx, t)
			const pools = 400
			var deployed []DeployedPool
			for i := range pools {
				deployed = append(deployed, DeployedPool{
					Pool: Pool{TenantID: tenant, PoolRtID: rtID24(i)}, WorkloadRtIDs: []string{rtID24(i), workID},
				})
			}
			operator.ReportDeployedState(deployed)
			reported := map[string]bool{}
			_, err := controller.WaitFor(ctx, "ReportDeployedStateAsync", func(c devcontroller.Call) bool {
				var part []DeployedPool
				must(t, c.Arg(0, &part))
				for _, pool := range part {
					reported[pool.ID()] = true
				}
				return len(reported) == pools
			})
			must(t, err)
			wantUnbroken(t, controller)
		})
	}
}
