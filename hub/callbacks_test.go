package hub

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"octo-operator/bounds"
	"octo-operator/dev/devcontroller"
)

func TestAnEventOf4MiBArrivesWhole(t *testing.T) {
	t.Parallel()
	ctx, controller, operator := startWithPool(t)

	w := workload("large")
	w.ValuesYaml = "text: " + strings.Repeat("0123456789abcde\n", 4<<20/16)
	must(t, controller.Deploy(ctx, w))
	event, err := Decode[WorkloadDeployed](operator.next(ctx, t).Argument)
	must(t, err)
	if event.ValuesYaml != w.ValuesYaml {
		t.Errorf("got %d bytes of values, want the %d sent", len(event.ValuesYaml), len(w.ValuesYaml))
	}
	wantUnbroken(t, controller)
}

func TestAnEventThatIsTooLongIsIgnoredAndTheNextOneArrives(t *testing.T) {
	t.Parallel()
	ctx, controller, operator := startWithPool(t)

	large := workload("large")
	large.ValuesYaml = strings.Repeat("x", bounds.Event)
	must(t, controller.Deploy(ctx, large))
	must(t, controller.Deploy(ctx, workload("small")))
	event, err := Decode[WorkloadDeployed](operator.next(ctx, t).Argument)
	must(t, err)
	if event.WorkloadName != "small" {
		t.Errorf("got %s", event.WorkloadName)
	}
	if n := operator.log.count(`"level":"ERROR"`, "message ignored: it is too long for an event"); n != 1 {
		t.Errorf("the log says %d times that an event is too long", n)
	}
	wantUnbroken(t, controller)
}

func TestABurstArrivesWholeAndInOrder(t *testing.T) {
	const burst, releases = 1000, 5
	for name, delay := range map[string]time.Duration{"fast receiver": 0, "slow receiver": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			controller := startController(t, devcontroller.Options{})
			operator := startOperator(t, controller.URL(), func(s *setup) {
				s.receive = func(Event) { time.Sleep(delay) }
			})
			operator.RegisterPool(pool)
			_, err := controller.WaitRegistered(ctx, poolThat)
			must(t, err)

			for i := range burst {
				w := workload(fmt.Sprint(i))
				w.RtID = rtID24(i % releases)
				if i/releases%2 == 0 {
					must(t, controller.Deploy(ctx, w))
				} else {
					must(t, controller.Undeploy(ctx, w))
				}
			}
			for i := range burst {
				event := operator.next(ctx, t)
				want := WorkloadDeployedCallback
				if i/releases%2 == 1 {
					want = WorkloadUndeployedCallback
				}
				if got := workloadName(t, event); got != fmt.Sprint(i) || event.Callback != want {
					t.Fatalf("event %d: got %s %s, want %s", i, event.Callback, got, want)
				}
			}
			wantUnbroken(t, controller)
		})
	}
}

// A controller replays what it has queued for a pool before it answers the pool's registration.
func TestEventsInsideARegistrationArrive(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.OnInvoke("RegisterPoolAsync", func(devcontroller.Call) (any, error) {
		return nil, controller.SendAll(ctx, "WorkloadUndeployedAsync", map[string]any{"tenantId": tenant})
	})
	operator := startOperator(t, controller.URL())
	operator.RegisterPool(pool)
	operator.next(ctx, t)
	_, err := controller.WaitRegistered(ctx, poolThat)
	must(t, err)
	wantUnbroken(t, controller)
}

func TestACallbackThatCannotBeTakenIsLoggedAndSurvived(t *testing.T) {
	for _, test := range []struct {
		name, frame string
		logged      []string
	}{
		{"unknown", `{"type":1,"target":"BrandNewAsync","arguments":[{"a":1},2]}`,
			[]string{`"level":"WARN"`, `"callback":"BrandNewAsync"`, `"arguments":2`}},
		{"unknown without arguments", `{"type":1,"target":"BrandNewAsync","arguments":[]}`,
			[]string{`"callback":"BrandNewAsync"`}},
		{"unknown stream", `{"type":4,"target":"BrandNewAsync","arguments":[]}`,
			[]string{`"callback":"BrandNewAsync"`}},
		{"no argument", `{"type":1,"target":"WorkloadDeployedAsync","arguments":[]}`,
			[]string{`"level":"ERROR"`, `"callback":"WorkloadDeployedAsync"`, "without arguments"}},
		{"arguments left out", `{"type":1,"target":"WorkloadDeployedAsync"}`,
			[]string{`"callback":"WorkloadDeployedAsync"`, "without arguments"}},
		{"too few arguments", `{"type":1,"target":"PoolUndeployedAsync","arguments":["acme"]}`,
			[]string{`"callback":"PoolUndeployedAsync"`, "2 are needed, the tenant id and the pool"}},
		{"an argument of the wrong type", `{"type":1,"target":"PoolUndeployedAsync","arguments":["acme",5]}`,
			[]string{`"callback":"PoolUndeployedAsync"`, "a JSON number, not a string"}},
		{"another argument of the wrong type", `{"type":1,"target":"PreUpdateTenantAsync","arguments":[[]]}`,
			[]string{`"callback":"PreUpdateTenantAsync"`, "a JSON array, not a string"}},
		{"arguments that are no list", `{"type":1,"target":"PreUpdateTenantAsync","arguments":"acme"}`,
			[]string{`"level":"ERROR"`, "frame"}},
		{"a frame that is no JSON", `{"type":1,"target":"PreUpdateTenantAsync","arguments":["acme"`,
			[]string{`"level":"ERROR"`, "frame"}},
		{"an unknown one that awaits an answer", `{"type":1,"invocationId":"7","target":"BrandNewAsync","arguments":[1]}`, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx := testContext(t)
			controller := startController(t, devcontroller.Options{})
			operator := startOperator(t, controller.URL())
			operator.untilRegistered(ctx, t)
			connection := controller.Connections()[0].ID
			must(t, controller.SendRaw(ctx, connection, test.frame))
			must(t, controller.PreUpdateTenant(ctx, "next"))
			if e := operator.next(ctx, t); string(e.Argument) != `{"tenantId":"next"}` {
				t.Errorf("got %s %s instead of the next event", e.Callback, e.Argument)
			}
			if test.logged != nil && operator.log.count(test.logged...) != 1 {
				t.Errorf("want one log record with %q", test.logged)
			}
			// A call and its answer: the connection carries both ways.
			operator.RegisterPool(pool)
			_, err := controller.WaitRegistered(ctx, poolThat)
			must(t, err)
			wantUnbroken(t, controller)
		})
	}
}

// A callback whose object has fields of the wrong type is still passed on as an event, so that its failure can be reported.
func TestAnEventThatIsWrongInsideIsReceived(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	operator := startOperator(t, controller.URL())
	operator.untilRegistered(ctx, t)
	must(t, controller.SendAll(ctx, "WorkloadDeployedAsync", map[string]any{"tenantId": tenant, "values": "none"}))
	event := operator.next(ctx, t)
	w, err := Decode[WorkloadDeployed](event.Argument)
	if err == nil || w.TenantID != tenant {
		t.Errorf("got tenant %q and error %v", w.TenantID, err)
	}
	wantUnbroken(t, controller)
}

func TestNoSecretFromArgumentsIsLogged(t *testing.T) {
	t.Parallel()
	ctx, controller, operator := startWithPool(t)
	connection := controller.Connections()[0].ID

	const secret = "m4rk3r-Passw0rd"
	w := workload("secret")
	w.RepositoryPassword = secret
	w.Values = []devcontroller.Override{{Path: "a.b", Value: secret, IsSecret: true}}
	w.ValuesYaml = "password: " + secret
	must(t, controller.Deploy(ctx, w))
	operator.next(ctx, t)
	for _, frame := range []string{
		`{"type":1,"target":"BrandNewAsync","arguments":["SECRET",{"SECRET":"SECRET"}]}`,
		`{"type":1,"invocationId":"9","target":"BrandNewAsync","arguments":["SECRET"]}`,
		`{"type":1,"target":"PoolUndeployedAsync","arguments":["SECRET"]}`,
		`{"type":1,"target":"PoolUndeployedAsync","arguments":["SECRET",["SECRET"]]}`,
		`{"type":1,"target":"PreUpdateTenantAsync","arguments":[["SECRET"]]}`,
		`{"type":1,"target":"WorkloadDeployedAsync","arguments":"SECRET"}`,
		`{"type":1,"target":"WorkloadDeployedAsync","arguments":[{"values":[{"value":"SECRET"}`,
		`SECRET`,
		`"SECRET"`,
		`{"type":1,"invocationId":"9","target":5,"arguments":["SECRET"]}`,
		`{"type":3,"invocationId":"9","error":["SECRET"]}`,
		// Only this ends the connection, with the library's own error.
		`{"type":7,"error":["SECRET"]}`,
	} {
		must(t, controller.SendRaw(ctx, connection, strings.ReplaceAll(frame, "SECRET", secret)))
	}
	operator.log.wait(ctx, t, "not connected to the controller")
	if strings.Contains(operator.log.text(), secret) {
		t.Error("the log holds the secret")
	}
}

// The simulated controller passes over completions, so a bare one looks at the answer.
func TestAnUnknownCallbackThatAwaitsAnAnswerGetsOneWithItsID(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	server := startBareServer(t)
	startOperator(t, server.url)
	server.accept(ctx, t)
	server.send(ctx, t, `{"type":1,"invocationId":"q-7","target":"BrandNewAsync","arguments":[1]}`)
	for {
		var answer struct {
			Type         int
			InvocationID *string
			Error        string
		}
		must(t, json.Unmarshal(server.next(ctx, t), &answer))
		if answer.Type != 3 {
			continue // RegisterOperatorAsync, which nobody answers, or a ping
		}
		if answer.InvocationID == nil || *answer.InvocationID != "q-7" || answer.Error == "" {
			t.Errorf("got the completion %+v", answer)
		}
		return
	}
}

func TestAnEventInTheMessageOfTheHandshakeArrives(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	server := startBareServer(t)
	operator := startOperator(t, server.url)
	server.greeting = "{}\x1e" + `{"type":1,"target":"PreUpdateTenantAsync","arguments":["early"]}` + "\x1e"
	server.accept(ctx, t)
	if e := operator.next(ctx, t); string(e.Argument) != `{"tenantId":"early"}` {
		t.Errorf("got %s", e.Argument)
	}
}
