package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// Targets for one deploy, and for many. Each is a ratio within one run.
const (
	targetWarm            = 0.50 // times the three commands typed by hand
	targetReference       = 0.18 // times the reference operator's sequence
	targetFour            = 1.00 // times our own commands typed by hand
	targetPods            = 0.70 // times the three commands, with pods that are replaced
	targetMany            = 0.55 // times xargs -P with the three commands
	targetSerialReference = 0.10 // times the reference operator's sequence, one release after the other
)

const (
	newReleases   = 40
	referenceOnes = 4    // of them, by the reference operator's sequence, one after the other: their time is multiplied by ten
	versionsIn3MB = 4000 // of an index
)

// shade is a change of a deploy's values that changes an Ingress's annotation in the cluster and replaces no pod.
func shade(i int) string {
	return fmt.Sprintf("ingress: {enabled: true, annotations: {shade: \"%d\"}}\n", i)
}

// twoPods is a change that replaces two pods.
func twoPods(i int) (more, colour string) { return "replicaCount: 2\n", fmt.Sprint("shade-", i) }

// redeploy makes both deploy one release again and again. The first deploy is not measured.
func (r *rig) redeploy(b *testing.B, results *table, hand *hand, what string, target float64, values func(i int) (more, colour string)) {
	app, release := r.newWorkload("red"), hand.newRelease("red")
	operator := func(i int) cost {
		more, colour := values(i)
		app.ValuesYaml = valuesYaml(colour) + more
		return r.deploy(app)
	}
	byHand := func(i int) cost {
		var colour string
		hand.more, colour = values(i)
		hand.write(release, colour)
		return hand.deploy(release)
	}
	operator(-1)
	byHand(-1)
	results.compare(b, what, *pairs, target, operator, byHand)
	r.checkFair()
}

func noPods(i int) (more, colour string) { return shade(i), "red" }

// benchmarkWarm deploys a release again, with a change that replaces no pod.
func benchmarkWarm(b *testing.B, results *table) {
	r := newRig(b)
	r.redeploy(b, results, newHand(r, threeCommands), "(a) one warm redeploy: three commands", targetWarm, noPods)
}

// benchmarkReference does the same with the reference operator's sequence. Both get the chart from a repository with a 3 MB index.
func benchmarkReference(b *testing.B, results *table) {
	r := newRigFrom(b, newRepositoryOf(b, versionsIn3MB).URL)
	r.redeploy(b, results, newHand(r, referenceSequence), "(b) the same: reference operator's sequence", targetReference, noPods)
}

// benchmarkFour does the same with the commands of the operator's own script.
func benchmarkFour(b *testing.B, results *table) {
	r := newRig(b)
	r.redeploy(b, results, newHand(r, fourCommands), "(c) the same: our four commands", targetFour, noPods)
}

// benchmarkPods deploys a release again, with a change that replaces its two pods.
func benchmarkPods(b *testing.B, results *table) {
	r := newRig(b)
	r.redeploy(b, results, newHand(r, threeCommands), "(i) a redeploy that replaces two pods: three commands", targetPods, twoPods)
}

// benchmarkMany deploys 40 new releases at the default parallelism: by the operator, by xargs with the three commands, and some of them
// by the reference operator's sequence, one after the other.
func benchmarkMany(b *testing.B, results *table) {
	r := newRigFrom(b, newRepositoryOf(b, versionsIn3MB).URL, "OPERATOR__CONCURRENCY=")
	atATime := r.atATime()
	hand, reference := newHand(r, threeCommands), newHandCalled(r, "refs", referenceSequence)
	var byHand, byHandCPU, serial, serialCPU comparison
	for i := range *pairs {
		var o, h, s cost
		sides := []func(){
			func() { o = r.deployMany(newReleases) },
			func() { h = hand.deployMany(newReleases, atATime) },
			func() { s = reference.deployMany(referenceOnes, 1) },
		}
		for n := range sides {
			sides[(i+n)%len(sides)]()
		}
		const times = newReleases / referenceOnes
		byHand.add(o.wall, h.wall)
		byHandCPU.add(o.cpu, h.cpu)
		serial.add(o.wall, times*s.wall)
		serialCPU.add(o.cpu, times*s.cpu)
	}
	results.sides = true
	results.compared(b, fmt.Sprintf("(d) %d new releases: three commands, xargs -P %d", newReleases, atATime), targetMany, byHand, byHandCPU)
	results.compared(b, fmt.Sprintf("(e) %d new releases: reference operator's sequence, in series", newReleases), targetSerialReference, serial, serialCPU)
	results.note("(e): %d releases were measured, and count %d times: one follows the other", referenceOnes, newReleases/referenceOnes)
	r.reconcileAll(b, results)
	memory := r.operator.memory(b)
	results.note("the operator's resident memory after %d deploys: %.1f MiB, at its highest %.1f MiB", r.workloads, memory.resident, memory.highest)
}

// reconcileAll sends all deploys of the rig once more, as the controller does when a pool is registered.
func (r *rig) reconcileAll(b *testing.B, results *table) {
	var all []devcontroller.Workload
	for n := range r.workloads {
		again := r.workload(n+1, "red")
		again.IsReconciliation = true
		all = append(all, again)
	}
	took := r.deployAll(all)
	results.single(b, fmt.Sprintf("reconciliation of %d workloads, nothing changed", len(all)), "s", []float64{took.wall.Seconds()}, noTarget)
	results.note("reconciliation: %.1f ms of time and %.1f ms of CPU time for each", milliseconds(took.wall)/float64(len(all)), milliseconds(took.cpu)/float64(len(all)))
	if revisions := strings.Count(r.command("kubectl", "get", "secrets", "--namespace", r.namespace, "-o", "name"), "v1.acme-"); revisions != len(all) {
		b.Errorf("%d releases have %d revisions: the reconciliation was to make none", len(all), revisions)
	}
}

// newRigFrom is newRig with another repository.
func newRigFrom(b *testing.B, repository string, env ...string) *rig {
	b.Helper()
	r := newRigWith(b, nil, env...)
	r.repository = repository
	r.deploy(r.newWorkload("red"))
	return r
}

// atATime is how many commands the operator runs at a time, as its log says.
func (r *rig) atATime() int {
	r.Helper()
	found := regexp.MustCompile(`helm at a time.*\bhelms=(\d+)`).FindStringSubmatch(r.operator.text())
	if found == nil {
		r.Fatalf("the log does not say how many helms run at a time:\n%s", r.operator.text())
	}
	n, err := strconv.Atoi(found[1])
	r.must(err)
	return n
}
