package hub

import (
	"context"
	"encoding/json"
	"reflect"
	"testing"
	"testing/synctest"

	"octo-operator/dev/devcontroller"
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
				if generation := operator.Generation(); generation != test.generation {
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

// A controller that is starting up rejects every call. It must not be taken for a controller of an older generation.
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

// answer completes the operator's next call, which must be of that method, with a result.
func (s *bareServer) answer(ctx context.Context, t *testing.T, method, result string) {
	t.Helper()
	id := s.call(ctx, t, method)
	s.send(ctx, t, `{"type":3,"invocationId":"`+id+`","result":`+result+`}`)
}

// call waits for the operator's next call, which must be of that method.
func (s *bareServer) call(ctx context.Context, t *testing.T, method string) (invocationID string) {
	t.Helper()
	for {
		var i invocation
		must(t, json.Unmarshal(s.next(ctx, t), &i))
		switch {
		case i.Type != 1: // a ping
		case i.Target != method:
			t.Fatalf("the operator called %s, want %s", i.Target, method)
		default:
			return *i.InvocationID
		}
	}
}

const registerSite = "RegisterDeploymentSiteAsync"

// A G4 that is taken for G3 would reject every pool.
func TestWithoutAnAnswerToTheQuestionForG4TheConnectionIsMadeAgain(t *testing.T) {
	for name, lose := range map[string]func(*bareServer){
		"lost":            func(s *bareServer) { _ = s.socket.CloseNow() },
		"nothing for 30s": func(*bareServer) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx := testContext(t)
				server := newBareServer(t)
				operator := newOperator(t, "http://controller", central)
				operator.dial(serveInMemory(t, server))
				defer operator.start()()

				server.accept(ctx, t)
				server.answer(ctx, t, registerOperator, "[]")
				server.call(ctx, t, registerSite)
				lose(server)
				before := server.socket
				server.accept(ctx, t)
				_ = before.CloseNow()
				if operator.Connected() || operator.log.count(`"registered at the controller"`) > 0 {
					t.Error("registered although the generation is not known")
				}
				operator.log.wait(ctx, t, "not connected to the controller", "the controller's generation")
				server.answer(ctx, t, registerOperator, "[]")
				id := server.call(ctx, t, registerSite)
				server.send(ctx, t, `{"type":3,"invocationId":"`+id+`","error":"2 arguments are needed"}`)
				operator.untilRegistered(ctx, t)
				if operator.Generation() != G4 {
					t.Errorf("it is %s", operator.Generation())
				}
			})
		})
	}
}
