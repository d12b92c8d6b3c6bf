package e2e

import (
	"fmt"
	"os"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

const (
	slowWorkloads = 40
	slowPods      = 20 * time.Second // time until pods are ready
	targetSlow    = 1.15             // times what the same deploys take when their pods are ready at once, and slowPods
)

// many is the cost of many deploys.
type many struct {
	cost
	memory float64 // of all processes, at its highest, in MiB
}

// BenchmarkSlowPods deploys workloads whose pods take long to become ready. By hand, the deploys that run at the same time all wait; the
// operator deploys the next ones meanwhile.
func BenchmarkSlowPods(b *testing.B) {
	results := &table{sides: true}
	values := fmt.Sprintf("podAnnotations: {octo-dev/ready-after: %v}\n", slowPods)
	fast, r := newRig(b), newRig(b)
	before := fast.deploySlow("")
	slow := r.deploySlow(values)
	after := fast.deploySlow("") // again, because the machine may have been busier before
	fast.operator.stop(b)
	hand := newHand(r, threeCommands)
	byHand := hand.deploySlow(values)
	r.checkFair()

	row := func(what, unit string, of func(many) float64) {
		o, h := of(slow), of(byHand)
		results.row(what, fmt.Sprintf("%.1f %s", o, unit), fmt.Sprintf("%.1f %s", h, unit), fmt.Sprintf("%.3f", o/h), "–", "once", "–", "")
	}
	row(fmt.Sprintf("%d workloads, pods ready after %v", slowWorkloads, slowPods), "s", func(m many) float64 { return m.wall.Seconds() })
	row("   its CPU time", "s", func(m many) float64 { return m.cpu.Seconds() })
	row("   its memory at the highest", "MiB", func(m many) float64 { return m.memory })
	least := (before.wall+after.wall)/2 + slowPods
	ratio := float64(slow.wall) / float64(least)
	results.row(fmt.Sprintf("   compared with ready at once + %v", slowPods), fmt.Sprintf("%.1f s", slow.wall.Seconds()), "–",
		fmt.Sprintf("%.3f", ratio), "–", "once", fmt.Sprintf("≤ %.2f", targetSlow), verdict(ratio, targetSlow))
	results.note("%d workloads, %d at a time: the operator took %.2f times %v", slowWorkloads, concurrency, float64(slow.wall)/float64(slowPods), slowPods)
	for _, m := range []many{before, after} {
		results.note("with pods ready at once: %.1f s, CPU time %.1f s, memory at the highest %.1f MiB", m.wall.Seconds(), m.cpu.Seconds(), m.memory)
	}
	results.print(os.Stdout)
	b.ReportMetric(slow.wall.Seconds(), "operator-s")
	b.ReportMetric(byHand.wall.Seconds(), "hand-s")
	b.ReportMetric(0, "ns/op")
}

// deploySlow deploys new releases with more values.
func (r *rig) deploySlow(values string) many {
	r.Helper()
	var workloads []devcontroller.Workload
	for range slowWorkloads {
		app := r.newWorkload("red")
		app.ValuesYaml += values
		workloads = append(workloads, app)
	}
	stop := watchMemory(r.operator.cmd.Process.Pid)
	all := many{cost: r.deployAll(workloads)}
	all.memory = stop()
	return all
}

func (h *hand) deploySlow(values string) many {
	h.rig.Helper()
	var stop func() float64
	h.started = func(pid int) { stop = watchMemory(pid) }
	h.more = values
	all := many{cost: h.deployMany(slowWorkloads, concurrency)}
	all.memory = stop()
	return all
}
