package e2e

import (
	"flag"
	"os"
	"testing"
	"time"
)

// The machine is noisy, so every comparison is a ratio within one run: operator and hand take turns, and the result is the median of
// the pairwise ratios. For more pairs on a busy machine: go test ./dev/e2e -run '^$' -bench . -benchtime 1x -pairs 31
var (
	pairs  = flag.Int("pairs", 11, "benchmarks: pairs of deploys, of one or of 40")
	starts = flag.Int("starts", 10, "benchmarks: starts of the operator")
)

// The targets. A missed one is printed and does not fail the command.
const (
	targetInstall = 1.00 // times the three commands typed by hand
	targetMemory  = 20   // MiB
	targetStart   = 40   // ms
	targetEnd     = 10   // s: the grace period of the official chart's pod
)

const (
	manyWorkloads = 16
	concurrency   = 4
	settleTime    = 5 * time.Second // from the last registration until memory is read
)

// BenchmarkOperator compares the operator with the same commands typed by hand and prints a table.
func BenchmarkOperator(b *testing.B) {
	results := &table{}
	b.Run("start", func(b *testing.B) { benchmarkStart(b, results) })
	b.Run("install", func(b *testing.B) { benchmarkInstall(b, results) })
	b.Run("warm", func(b *testing.B) { benchmarkWarm(b, results) })
	b.Run("reference", func(b *testing.B) { benchmarkReference(b, results) })
	b.Run("four", func(b *testing.B) { benchmarkFour(b, results) })
	b.Run("pods", func(b *testing.B) { benchmarkPods(b, results) })
	b.Run("many", func(b *testing.B) { benchmarkMany(b, results) })
	b.Run("end", func(b *testing.B) { benchmarkEnd(b, results) })
	results.print(os.Stdout)
}

// benchmarkInstall deploys releases that do not exist yet.
func benchmarkInstall(b *testing.B, results *table) {
	r := newRig(b)
	hand := newHand(r, threeCommands)
	results.compare(b, "one deploy, new release: three commands", *pairs, targetInstall,
		func(int) cost { return r.deploy(r.newWorkload("red")) },
		func(int) cost { return hand.deploy(hand.newRelease("red")) },
	)
	r.checkFair()
}

// benchmarkStart starts the operator in a new state directory, with one pool already in the cluster.
func benchmarkStart(b *testing.B, results *table) {
	r := newRig(b) // the rig's operator has deployed the pool
	r.operator.stop(b)
	r.controller.SetPools(r.pool)
	var registered, pool, resident, proportional, tree []float64
	for range *starts {
		r.stateDir = b.TempDir()
		toOperator, toPool := r.start()
		registered, pool = append(registered, milliseconds(toOperator)), append(pool, milliseconds(toPool))
		time.Sleep(settleTime)
		memory := r.operator.memory(b)
		resident, proportional = append(resident, memory.resident), append(proportional, memory.proportional)
		tree = append(tree, memory.tree)
		r.operator.stop(b)
	}
	results.single(b, "start to registered", "ms", registered, targetStart)
	results.single(b, "start to first pool registered", "ms", pool, noTarget)
	results.single(b, "idle memory, resident", "MiB", resident, targetMemory)
	results.single(b, "idle memory, proportional", "MiB", proportional, noTarget)
	results.single(b, "idle memory, with its commands", "MiB", tree, noTarget)
}

// benchmarkEnd ends the operator while a script runs that never ends, not even on SIGTERM.
func benchmarkEnd(b *testing.B, results *table) {
	var took []float64
	for range 3 {
		r := newRigWith(b, map[string]string{"chart-pull": pullNothing, "workload-deploy": "trap '' TERM; sleep 1000\n"}, "OPERATOR__LOGFORMAT=json")
		r.must(r.controller.Deploy(r.ctx, r.newWorkload("red")))
		r.waitForRecords(`"values merged"`, 1)
		began := time.Now()
		r.operator.stop(b) // fails unless it exits with 0
		took = append(took, time.Since(began).Seconds())
	}
	results.single(b, "SIGTERM to the end, with a script that hangs", "s", took, targetEnd)
}
