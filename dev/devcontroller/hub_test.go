package devcontroller

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// The table of the contract, written down a second time: method and number of arguments.
var contractTable = map[Generation]map[string]int{
	G1: {
		"RegisterOperatorAsync": 0, "UnregisterOperatorAsync": 0,
		"RegisterPoolAsync": 2, "UnregisterPoolAsync": 2,
		"ReportWorkloadDeploymentStatusAsync": 1,
	},
	G3: {
		"RegisterOperatorAsync": 1, "UnregisterOperatorAsync": 0,
		"RegisterPoolAsync": 2, "UnregisterPoolAsync": 2,
		"ReportWorkloadDeploymentStatusAsync": 1, "ReportDeployedStateAsync": 1,
		"ReportWorkloadDeploymentProgressAsync": 1, "ReportWorkloadScaleStatusAsync": 1,
	},
	G4: {
		"RegisterOperatorAsync": 1, "UnregisterOperatorAsync": 0,
		"RegisterDeploymentSiteAsync": 2, "UnregisterDeploymentSiteAsync": 2,
		"ReportWorkloadDeploymentStatusAsync": 1, "ReportDeployedStateAsync": 1,
		"ReportWorkloadDeploymentProgressAsync": 1, "ReportWorkloadScaleStatusAsync": 1,
	},
}

func TestEachGenerationAnswersItsMethodsAndArgumentCounts(t *testing.T) {
	allMethods := map[string]bool{}
	for _, methods := range contractTable {
		for name := range methods {
			allMethods[name] = true
		}
	}
	for generation, methods := range contractTable {
		t.Run(string(generation), func(t *testing.T) {
			s := startServer(t, Options{Generation: generation})
			c := dial(t, s)
			for name := range allMethods {
				want := "HubException: Method does not exist."
				if count, known := methods[name]; known {
					want = fmt.Sprintf("InvalidDataException: Invocation provides 3 argument(s) but target expects %d.", count)
				}
				want = "Failed to invoke '" + name + "' due to an error on the server. " + want
				if got := c.invoke(name, `[null,null,null]`).Error; got != want {
					t.Errorf("%s: got %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestRegisterOperatorReturnsPoolsInTheGenerationsShape(t *testing.T) {
	for generation, want := range map[Generation]string{
		G1: `[{"poolName":"` + poolID + `","tenantId":"meshtest"}]`,
		G3: `[{"poolRtId":"` + poolID + `","tenantId":"meshtest"}]`,
		G4: `[{"deploymentSiteRtId":"` + poolID + `","tenantId":"meshtest"}]`,
	} {
		s := startServer(t, Options{Generation: generation, Pools: []Pool{ownPool}})
		arguments := `[true]`
		if generation == G1 {
			arguments = `[]`
		}
		if got := dial(t, s).mustInvoke("RegisterOperatorAsync", arguments); string(got) != want {
			t.Errorf("%s: got %s, want %s", generation, got, want)
		}
	}
}

func TestMethodNamesIgnoreCase(t *testing.T) {
	s := startServer(t, Options{Generation: G3})
	dial(t, s).mustInvoke("registerOPERATORasync", `[null]`)
	if got := s.Calls()[0].Method; got != "RegisterOperatorAsync" {
		t.Errorf("recorded as %q", got)
	}
}

func TestLackedMethodDoesNotExist(t *testing.T) {
	s := startServer(t, Options{Generation: G3, Lacks: []string{"ReportWorkloadScaleStatusAsync"}})
	c := dial(t, s)
	if got := c.invoke("ReportWorkloadScaleStatusAsync", `[{}]`).Error; !strings.Contains(got, "HubException: Method does not exist.") {
		t.Errorf("got %q", got)
	}
	c.mustInvoke("RegisterOperatorAsync", `[false]`) // the connection stays up
}

func TestArgumentOfTheWrongTypeIsABindingError(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	for method, arguments := range map[string]string{
		"RegisterOperatorAsync":               `["yes"]`,
		"RegisterDeploymentSiteAsync":         `["meshtest",1]`,
		"ReportDeployedStateAsync":            `[{"tenantId":"meshtest"}]`,
		"ReportWorkloadDeploymentStatusAsync": `[{"success":"true"}]`,
		"ReportWorkloadScaleStatusAsync":      `[{"replicas":null}]`,
	} {
		got := c.invoke(method, arguments).Error
		if !strings.Contains(got, "InvalidDataException: Error binding arguments.") {
			t.Errorf("%s%s: got %q", method, arguments, got)
		}
	}
	wantNoViolations(t, s)
}

func TestStreamingCallOfAPlainMethodIsRefused(t *testing.T) {
	c := dial(t, startServer(t, Options{}))
	c.send(`{"type":4,"invocationId":"1","target":"RegisterOperatorAsync","arguments":[true]}`)
	if got := c.next(); !strings.Contains(got, "with a streaming invocation.") {
		t.Errorf("got %s", got)
	}
}

func TestPoolIDMustBeHexFromG3On(t *testing.T) {
	s := startServer(t, Options{Generation: G3})
	got := dial(t, s).invoke("RegisterPoolAsync", `["meshtest","default"]`).Error
	want := "An unexpected error occurred invoking 'RegisterPoolAsync' on the server. HubException: " +
		"Invalid poolRtId 'default' (tenant 'meshtest'): must be a 24-character hex ObjectId."
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	s = startServer(t, Options{Generation: G1})
	dial(t, s).mustInvoke("RegisterPoolAsync", `["meshtest","default"]`)
}

func TestOnlyCentralOperatorsReportDeployedState(t *testing.T) {
	s := startServer(t, Options{})
	c := dial(t, s)
	report := `[[{"tenantId":"meshtest","deploymentSiteRtId":"` + poolID + `","deploymentSiteName":"","workloadRtIds":[]}]]`
	for mode, want := range map[string]string{"null": "legacy (unknown)", "false": "edge (AutoManageDeploymentSites=false)"} {
		c.mustInvoke("RegisterOperatorAsync", "["+mode+"]")
		if got := c.invoke("ReportDeployedStateAsync", report).Error; !strings.Contains(got, want) {
			t.Errorf("mode %s: got %q, want %q in it", mode, got, want)
		}
	}
	c.mustInvoke("RegisterOperatorAsync", "[true]")
	c.mustInvoke("ReportDeployedStateAsync", report)
	wantNoViolations(t, s)
}

func TestReportsThatBreakTheContractAreRecorded(t *testing.T) {
	for _, test := range []struct {
		generation        Generation
		method, arguments string
		want              string // of the only violation; empty: none
	}{
		{G4, "ReportWorkloadDeploymentStatusAsync",
			`{"tenantId":"t","workloadName":"w","workloadRtId":"` + poolID + `","success":true}`, ""},
		{G4, "ReportWorkloadDeploymentStatusAsync",
			`{"TenantId":"t","tenantId":"t","workloadName":"w","workloadRtId":"` + poolID + `","success":true}`, "tenantId is written TenantId"},
		{G4, "ReportWorkloadDeploymentStatusAsync",
			`{"tenantId":"","workloadName":"w","workloadRtId":"` + poolID + `","success":true}`, "tenantId is empty"},
		{G3, "ReportWorkloadDeploymentStatusAsync",
			`{"tenantId":"t","workloadName":"w","workloadRtId":"X","success":true}`, `workloadRtId is "X", want 24 lowercase hex`},
		{G1, "ReportWorkloadDeploymentStatusAsync",
			`{"tenantId":"t","workloadName":"w","workloadRtId":"` + poolID + `","success":true}`, "poolName is missing"},
		{G3, "ReportWorkloadDeploymentProgressAsync",
			`{"tenantId":"t","workloadName":"w","workloadRtId":"` + poolID + `"}`, "message is missing"},
		{G4, "ReportWorkloadScaleStatusAsync",
			`{"tenantId":"t","workloadName":"w","workloadRtId":"` + poolID + `","success":true}`, "replicas is missing"},
		{G4, "ReportWorkloadScaleStatusAsync", `null`, "an object is null"},
		{G3, "ReportDeployedStateAsync",
			`[{"tenantId":"t","deploymentSiteRtId":"` + poolID + `","workloadRtIds":[]}]`, "poolRtId is missing"},
	} {
		s := startServer(t, Options{Generation: test.generation})
		dial(t, s).invoke(test.method, "["+test.arguments+"]")
		found := s.ProtocolViolations()
		if test.want == "" && len(found) == 0 {
			continue
		}
		if len(found) != 1 || !strings.Contains(found[0], test.method+": "+test.want) {
			t.Errorf("%s %s: violations %q, want %q", test.generation, test.arguments, found, test.want)
		}
	}
}

func TestFailNextRejectsSoManyCalls(t *testing.T) {
	s := startServer(t, Options{})
	s.FailNext("registerDeploymentSiteAsync", 2, "still warming up")
	c := dial(t, s)
	arguments := fmt.Sprintf("[%q,%q]", tenant, poolID)
	for range 2 {
		got := c.invoke("RegisterDeploymentSiteAsync", arguments).Error
		want := "An unexpected error occurred invoking 'RegisterDeploymentSiteAsync' on the server. HubException: still warming up"
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := s.Connections()[0].Registered; len(got) != 0 {
		t.Errorf("a rejected registration registered %v", got)
	}
	c.register(ownPool)
	if _, err := s.WaitRegistered(testContext(t), ownPool); err != nil {
		t.Error(err)
	}
	s.FailNext("RegisterDeploymentSiteAsync", -1, "for ever")
	for range 3 {
		c.invoke("RegisterDeploymentSiteAsync", arguments)
	}
	s.FailNext("RegisterDeploymentSiteAsync", 0, "")
	c.register(otherPool)
	failed := 0
	for _, call := range s.Calls() {
		if call.Error != "" {
			failed++
		}
	}
	if failed != 5 || s.LastSeq() != 7 {
		t.Errorf("%d of %d calls recorded as failed, want 5 of 7", failed, s.LastSeq())
	}
}

func TestHandlerReplacesResultOrRejects(t *testing.T) {
	s := startServer(t, Options{})
	s.OnInvoke("RegisterOperatorAsync", func(Call) (any, error) { return []string{"<odd> & own"}, nil })
	s.OnInvoke("RegisterDeploymentSiteAsync", func(call Call) (any, error) {
		var id string
		if err := call.Arg(1, &id); err != nil || id == otherID {
			return nil, errors.Join(err, errors.New("not yours"))
		}
		return nil, nil
	})
	c := dial(t, s)
	if got := c.mustInvoke("RegisterOperatorAsync", `[true]`); string(got) != `["<odd> & own"]` {
		t.Errorf("got %s", got)
	}
	c.register(ownPool)
	got := c.invoke("RegisterDeploymentSiteAsync", fmt.Sprintf("[%q,%q]", tenant, otherID)).Error
	if !strings.HasSuffix(got, "HubException: not yours") {
		t.Errorf("got %q", got)
	}
	if got := s.Connections()[0].Registered; len(got) != 1 || got[0] != ownPool {
		t.Errorf("registered %v, want only %v", got, ownPool)
	}
}

func TestHandlerMaySendBeforeItsAnswer(t *testing.T) {
	// A real controller replays queued events inside RegisterPoolAsync: they precede its answer.
	s := startServer(t, Options{})
	s.OnInvoke("RegisterDeploymentSiteAsync", func(call Call) (any, error) {
		return nil, s.SendTo(t.Context(), call.ConnID, "WorkloadDeployedAsync", map[string]any{"tenantId": tenant})
	})
	c := dial(t, s)
	c.send(fmt.Sprintf(`{"type":1,"invocationId":"1","target":"RegisterDeploymentSiteAsync","arguments":[%q,%q]}`, tenant, poolID))
	if target, _ := c.event(); target != "WorkloadDeployedAsync" {
		t.Errorf("got %s", target)
	}
	c.wantFrame(`{"invocationId":"1","result":null,"type":3}`)
}
