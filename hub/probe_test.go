package hub

import (
	"testing"

	"octo-operator/config"
	"octo-operator/dev/devcontroller"
)

func TestAProbeRegistersNothingAndDisturbsNoOperator(t *testing.T) {
	t.Parallel()
	ctx, controller, _ := startWithPool(t)
	connections, calls := len(controller.Connections()), len(controller.Calls())
	probe, err := NewProbe(config.Config{ControllerURI: controller.URL()})
	must(t, err)
	must(t, probe.Dial(ctx))
	probed, err := controller.WaitClosed(ctx, controller.Connections()[connections].ID)
	must(t, err)
	if probed.Central != nil || len(probed.Registered) > 0 || len(controller.Calls()) != calls {
		t.Errorf("%+v, calls %v", probed, controller.Calls()[calls:])
	}
	if open, err := controller.WaitConnected(ctx, 1); err != nil || len(open.Registered) != 1 {
		t.Errorf("the operator: %+v, %v", open, err)
	}
	wantNoViolations(t, controller)
}

func TestAProbeTellsARefusalFromAControllerThatIsAway(t *testing.T) {
	t.Parallel()
	ctx := testContext(t)
	controller := startController(t, devcontroller.Options{})
	controller.SetAuthorize(func(string) bool { return false })
	probe, err := NewProbe(config.Config{ControllerURI: controller.URL()})
	must(t, err)
	if err := probe.Dial(ctx); !Refused(err) {
		t.Errorf("%v", err)
	}
	if _, err := probe.Token(ctx); err == nil {
		t.Error("a token without an issuer")
	}
	must(t, controller.Close())
	if err := probe.Dial(ctx); err == nil || Refused(err) {
		t.Errorf("%v", err)
	}
}
