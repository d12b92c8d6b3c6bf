package e2e

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

// BenchmarkHandOver measures how long it takes, after a leader has ended or was killed, until the standby has registered the pool at the
// controller.
func BenchmarkHandOver(b *testing.B) {
	const times = 5
	results := &table{}
	r := newRig(b)
	for _, row := range []struct {
		what   string
		end    syscall.Signal
		target float64 // s
	}{
		{"a leader that ends is replaced", syscall.SIGTERM, 2},
		{"a leader that is killed is replaced", syscall.SIGKILL, 15},
	} {
		var took []float64
		for range times {
			leader := r.operator
			r.stateDir = b.TempDir()
			r.launch()
			for deadline := time.Now().Add(patience); !strings.Contains(r.operator.text(), "another operator leads"); time.Sleep(50 * time.Millisecond) {
				if time.Now().After(deadline) {
					b.Fatalf("it does not stand by:\n%s", r.operator.text())
				}
			}
			before, began := r.controller.LastSeq(), time.Now()
			r.must(leader.cmd.Process.Signal(row.end))
			r.waitFor("RegisterPoolAsync", func(c devcontroller.Call) bool { return c.Seq > before && c.Error == "" })
			took = append(took, time.Since(began).Seconds())
			if err := leader.cmd.Wait(); err != nil && row.end == syscall.SIGTERM {
				b.Errorf("the leader ended with: %v\n%s", err, leader.text())
			}
			r.deploy(r.newWorkload("red"))
		}
		results.single(b, row.what, "s", took, row.target)
	}
	results.print(os.Stdout)
}
