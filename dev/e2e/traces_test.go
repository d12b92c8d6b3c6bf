package e2e

import (
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"octo-operator/dev/collector"
	"octo-operator/dev/devcontroller"
)

// traceOf waits for the trace of a workload's deploy.
func (w *world) traceOf(c *collector.Collector, workload string) (found *collector.Span) {
	w.Helper()
	if !w.eventually(func() bool {
		for _, event := range c.Traces() {
			if event.Name == "WorkloadDeployed" && event.Attributes["octo.workload"] == workload {
				found = event
			}
		}
		return found != nil
	}) {
		w.Fatalf("no trace of %s came; the operator's log:\n%s", workload, w.operator.text())
	}
	return found
}

// withoutWaits is a trace's tree without the spans that depend on how busy the machine is.
func withoutWaits(event *collector.Span) string {
	var kept []string
	for line := range strings.Lines(event.String()) {
		if !strings.HasPrefix(strings.TrimSpace(line), "wait: ") {
			kept = append(kept, line)
		}
	}
	return strings.TrimRight(strings.Join(kept, ""), "\n")
}

// within finds spans that are not within the time of their parent.
func within(t *testing.T, above *collector.Span) {
	t.Helper()
	for _, s := range above.Below {
		if s.Start < above.Start || s.End > above.End || s.End < s.Start {
			t.Errorf("%s lasted from %d to %d, %s above it from %d to %d", s.Name, s.Start, s.End, above.Name, above.Start, above.End)
		}
		within(t, s)
	}
}

func TestAGoodAndAFailingDeployAreTracesOfWhatHappened(t *testing.T) {
	c := collector.Start()
	defer c.Close()
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=100", "OPERATOR__HELM__TIMEOUT=20s",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=" + plantedMongo}
	seen := filepath.Join(w.TempDir(), "environment")
	w.swap(map[string]string{"workload-rollback": "env >" + seen + "\nhelm uninstall \"$OCTO_RELEASE\" --namespace \"$OCTO_NAMESPACE\"\n"})
	w.start()
	w.deployPool()
	app := w.workload("Shop", appRtID)
	app.Values = []devcontroller.Override{{Path: "secrets.apiKey", Value: plantedOverride, IsSecret: true}}
	if s := w.deploy(app); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	broken := w.workload("Broken", brokenRtID)
	broken.ValuesYaml = "image: {repository: x/does-not-exist}"
	failed := w.deploy(broken)
	good, bad := w.traceOf(c, "Shop"), w.traceOf(c, "Broken")
	within(t, good)
	within(t, bad)
	t.Logf("\n%s\n%s", good, bad)
	if got := withoutWaits(good); got != goodTrace {
		t.Errorf("the good deploy is\n%s", got)
	}
	if got := withoutWaits(bad); got != badTrace {
		t.Errorf("the failing deploy is\n%s", got)
	}
	if good.Attributes["octo.outcome"] != "succeeded" || good.Attributes["octo.tenant"] != "acme" || good.Attributes["octo.release"] != "acme-"+appRtID {
		t.Errorf("the good deploy has the attributes %v", good.Attributes)
	}
	if bad.Attributes["octo.outcome"] != "failed" || bad.Error != failed.StatusMessage {
		t.Errorf("the failing deploy is %q, its error %q, reported was %q", bad.Attributes["octo.outcome"], bad.Error, failed.StatusMessage)
	}
	for _, secret := range []string{plantedOverride, plantedMongo, brokerPassword} {
		for _, event := range c.Traces() {
			if all := allOf(event); strings.Contains(all, secret) {
				t.Errorf("%s is in a trace:\n%s", secret, all)
			}
		}
		if strings.Contains(w.operator.text(), secret) || strings.Contains(w.filesBelow(w.stateDir), secret) {
			t.Errorf("%s is in the log, or in a file that remains", secret)
		}
	}
	if w.waitForFile(seen); strings.Contains(w.filesBelow(filepath.Dir(seen)), "OTEL_") {
		t.Error("a script sees variables of OpenTelemetry")
	}
	w.stop(w.operator)
	if w.operator.exitCode(t) != 0 {
		t.Errorf("exit code %d", w.operator.exitCode(t))
	}
}

const (
	goodTrace = "WorkloadDeployed" + untilReady + `
  settle`
	badTrace = "WorkloadDeployed failed" + untilReady + `
  rollback
    workload-rollback`
	untilReady = `
  look
  chart
  values
  check
    workload-deploy
      helm template
      kubectl apply
  install
    workload-deploy
      kubectl apply
      helm upgrade
  ready`
)

// allOf is the whole text of a trace.
func allOf(s *collector.Span) string {
	all := s.Name + s.Error
	for name, value := range s.Attributes {
		all += " " + name + "=" + value
	}
	for _, below := range s.Below {
		all += "\n" + allOf(below)
	}
	return all
}

// The collector accepts connections, and never answers.
func TestACollectorThatHangsHoldsUpNeitherADeployNorTheEnd(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	taken := atomic.Int64{}
	go func() {
		for {
			if _, err := silent.Accept(); err != nil {
				return
			}
			taken.Add(1)
		}
	}()
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + silent.Addr().String(), "OTEL_BSP_SCHEDULE_DELAY=1", "OTEL_EXPORTER_OTLP_TIMEOUT=3600000"}
	w.swap(map[string]string{"chart-pull": pullNothing, "workload-deploy": "true\n"})
	w.start()
	w.deployPool()
	if s := w.deploy(w.workload("Shop", appRtID)); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	if !w.eventually(func() bool { return taken.Load() > 0 }) {
		t.Fatal("the collector was never asked")
	}
	w.stop(w.operator) // it waits much shorter than the collector would
	if code := w.operator.exitCode(t); code != 0 {
		t.Errorf("exit code %d", code)
	}
}
