package e2e

import (
	"fmt"
	"os"
	"testing"

	"octo-operator/dev/devcontroller"
)

const targetTree = 300 // MiB, of the operator and its commands, 4 at a time

// BenchmarkMemory measures the memory of the operator and its commands together, with a repository whose index has 6,000 versions.
func BenchmarkMemory(b *testing.B) {
	results := &table{}
	b.Run("4 at a time", func(b *testing.B) {
		benchmarkCrowd(b, results, fmt.Sprintf("%d at a time", concurrency), newRigWith(b, nil), targetTree, func(float64) {})
	})
	for _, limit := range []int64{chartLimit, oldLimit} {
		what := fmt.Sprintf("in %d MiB and half a core", limit>>20)
		b.Run(what, func(b *testing.B) {
			cage := newCage(b, limit, 0.5)
			r := newRigIn(b, cage.wrap(), nil, append(cage.settings(), "OPERATOR__CONCURRENCY=", "OPERATOR__HELM__TIMEOUT=4m")...)
			benchmarkCrowd(b, results, what, r, float64(limit>>20), func(memory float64) { r.must(cage.check(memory)); results.note("%s: %s", what, cage) })
		})
	}
	results.print(os.Stdout)
}

// benchmarkCrowd deploys 16 new workloads at once. Each comes from the repository with the large index.
func benchmarkCrowd(b *testing.B, results *table, what string, r *rig, target float64, check func(memory float64)) {
	repository := newLargeRepository(b)
	var workloads []devcontroller.Workload
	for range manyWorkloads {
		app := r.newWorkload("red")
		app.RepositoryURL = repository.URL
		workloads = append(workloads, app)
	}
	highest := watchMemory(r.operator.cmd.Process.Pid)
	all := r.deployAll(workloads)
	memory := highest()
	check(memory)
	results.single(b, fmt.Sprintf("%d workloads, %s", manyWorkloads, what), "s", []float64{all.wall.Seconds()}, noTarget)
	results.single(b, "memory of all processes, "+what, "MiB", []float64{memory}, target)
	results.note("%s: the index of %d versions was sent %d times", what, indexVersions, repository.sent.Load())
}
