package e2e

import (
	"flag"
	"fmt"
	"os"
	"testing"
	"time"
)

// The machine is noisy, so every comparison is a ratio within one run: operator and hand take turns, and the median of
// the pairwise ratios counts. More pairs on a busy machine: go test ./e2e -run '^$' -bench . -benchtime 1x -pairs 31
var (
	pairs  = flag.Int("pairs", 15, "benchmarks: pairs of single deploys; a third as many of 16 at once")
	starts = flag.Int("starts", 10, "benchmarks: starts of the operator")
)

// What was asked for. A missed target is printed and does not fail the command.
const (
	targetRatio  = 1.15 // times the same commands typed by hand
	targetMemory = 20   // MiB
	targetStart  = 40   // ms
	targetEnd    = 10   // s: the grace period of the official chart's pod
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
	b.Run("upgrade", func(b *testing.B) { benchmarkUpgrade(b, results) })
	b.Run("many", func(b *testing.B) { benchmarkMany(b, results) })
	b.Run("end", func(b *testing.B) { benchmarkEnd(b, results) })
	results.print(os.Stdout)
}

// benchmarkInstall deploys releases that do not exist yet.
func benchmarkInstall(b *testing.B, results *table) {
	r := newRig(b)
	hand := newHand(r)
	results.compare(b, "one deploy, new release", *pairs,
		func(int) cost { return r.deploy(r.newWorkload("red")) },
		func(int) cost { return hand.deploy(hand.newRelease("red")) },
	)
	r.checkFair(hand)
}

// benchmarkUpgrade deploys a release again, each time with another value.
func benchmarkUpgrade(b *testing.B, results *table) {
	r := newRig(b)
	hand := newHand(r)
	app, release := r.newWorkload("red"), hand.newRelease("red")
	r.deploy(app)
	hand.deploy(release)
	results.compare(b, "one deploy, changed value", *pairs,
		func(i int) cost {
			app.ValuesYaml = valuesYaml(fmt.Sprint("shade-", i))
			return r.deploy(app)
		},
		func(i int) cost {
			hand.write(release, fmt.Sprint("shade-", i))
			return hand.deploy(release)
		},
	)
	r.checkFair(hand)
}

// benchmarkMany deploys 16 new releases at concurrency 4: through the operator, and with xargs -P 4.
func benchmarkMany(b *testing.B, results *table) {
	r := newRig(b)
	hand := newHand(r)
	results.compare(b, fmt.Sprintf("%d workloads, %d at a time", manyWorkloads, concurrency), max(1, *pairs/3),
		func(int) cost { return r.deployMany(manyWorkloads) },
		func(int) cost { return hand.deployMany(manyWorkloads) },
	)
	memory := r.operator.memory(b)
	results.note("the operator's resident memory after %d deploys: %.1f MiB, at its highest %.1f MiB", r.workloads, memory.resident, memory.highest)
	r.checkFair(hand)
}

// benchmarkStart starts the operator in a new state directory, with one pool already in the cluster.
func benchmarkStart(b *testing.B, results *table) {
	r := newRig(b) // its own operator has deployed the pool
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

// benchmarkEnd ends the operator while a script runs that does not end by itself, nor on SIGTERM.
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
