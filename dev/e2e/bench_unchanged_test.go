package e2e

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

var unchanged = flag.Int("unchanged", 100, "benchmarks: workloads that a controller sends again after its restart")

// BenchmarkUnchanged restarts the controller, which then sends unchanged workloads again. It is compared with what their first deploys
// took by hand.
func BenchmarkUnchanged(b *testing.B) {
	results := &table{}
	r := newRig(b)
	var workloads []devcontroller.Workload
	for range *unchanged {
		workloads = append(workloads, r.newWorkload("red"))
	}
	first := r.deployAll(workloads)
	for i := range workloads {
		workloads[i].IsReconciliation, workloads[i].ChartVersion = true, ""
	}
	var wall, cpu []float64
	var comparedWall, comparedCPU comparison
	for range 3 {
		address, before := r.controller.Addr(), r.controller.LastSeq()
		r.must(r.controller.Close())
		r.must(r.controller.Start(address))
		r.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > before && c.Error == "" })
		again := r.deployAll(workloads)
		comparedWall.add(again.wall, first.wall)
		comparedCPU.add(again.cpu, first.cpu)
		wall, cpu = append(wall, milliseconds(again.wall)/float64(*unchanged)), append(cpu, milliseconds(again.cpu)/float64(*unchanged))
		time.Sleep(settleTime)
	}
	results.comparison(fmt.Sprintf("%d unchanged workloads, sent again", *unchanged), comparedWall, "–", "")
	results.comparison("   their CPU time", comparedCPU, "–", "")
	results.note("unchanged workloads, by hand: their first deploy, by the operator; sent again, one takes %.1f ms, and %.1f ms of CPU time of the operator and kubectl proxy", median(wall), median(cpu))
	names := r.command("kubectl", "get", "secrets", "--namespace", r.namespace, "--selector", "owner=helm", "--output", "name")
	if got := strings.Count(names, "\n"); got != *unchanged+1 {
		b.Errorf("%d revisions of %d releases", got, *unchanged+1)
	}
	results.print(os.Stdout)
	b.ReportMetric(median(comparedCPU.ratios), "cpu-ratio")
	b.ReportMetric(0, "ns/op")
}
