package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const targetFlat = 1.20 // times the same with 10 releases in the namespace

// BenchmarkCrowdedNamespace redeploys a release in namespaces with 10, 200 and 1,000 releases, in turns.
func BenchmarkCrowdedNamespace(b *testing.B) {
	sizes := []int{10, 200, 1000}
	results := &table{}
	var redeploy []func(i int) cost
	for _, size := range sizes {
		r := newRig(b)
		r.fill(size - 2) // without the rig's first release, and the one that is deployed again
		redeploy = append(redeploy, r.redeployer())
	}
	time.Sleep(settleTime)
	took := make([]comparison, len(sizes)) // each compared with the first
	for i := range *pairs + 1 {
		all := make([]cost, len(sizes))
		for n := range sizes {
			at := (i + n) % len(sizes)
			all[at] = redeploy[at](i)
		}
		for n := range took {
			if i > 0 { // the first deploy installs
				took[n].add(all[n].wall, all[0].wall)
			}
		}
	}
	for n, size := range sizes[1:] {
		c := took[n+1]
		ratio := median(c.ratios)
		results.row(fmt.Sprintf("(f) one redeploy, %d releases in the namespace", size), fmt.Sprintf("%.0f ms", median(c.operator)),
			fmt.Sprintf("%.0f ms with %d", median(c.hand), sizes[0]), fmt.Sprintf("%.3f", ratio), span("%.2f", c.ratios),
			fmt.Sprintf("%d pairs", len(c.ratios)), fmt.Sprintf("≤ %.2f", targetFlat), verdict(ratio, targetFlat))
		b.ReportMetric(ratio, fmt.Sprintf("ratio-%d", size))
	}
	b.ReportMetric(0, "ns/op")
	results.note("(f): the other releases are copies of all of a release's objects, without pods")
	results.print(os.Stdout)
}

// redeployer returns a function that deploys one workload of a rig again, with a change that replaces no pod.
func (r *rig) redeployer() func(i int) cost {
	app := r.newWorkload("red")
	return func(i int) cost {
		app.ValuesYaml = valuesYaml("red") + shade(i)
		return r.deploy(app)
	}
}

// fill adds so many releases to the rig's namespace: copies of all objects of its first one, without pods.
func (r *rig) fill(releases int) {
	r.Helper()
	text := r.command("kubectl", "get", "secrets,configmaps,services,deployments", "--namespace", r.namespace, "-o", "json")
	var all struct{ Items []map[string]any }
	r.must(json.Unmarshal([]byte(text), &all))
	var one strings.Builder
	for _, object := range all.Items {
		metadata := object["metadata"].(map[string]any)
		if !strings.Contains(fmt.Sprint(metadata["name"]), firstRelease) {
			continue
		}
		object["metadata"] = map[string]any{"name": metadata["name"], "namespace": r.namespace, "labels": metadata["labels"]}
		delete(object, "status")
		switch spec, _ := object["spec"].(map[string]any); object["kind"] {
		case "Service":
			delete(spec, "clusterIP")
			delete(spec, "clusterIPs")
		case "Deployment":
			spec["replicas"] = 0 // a thousand pods would keep this machine busy for minutes
		}
		document, err := json.Marshal(object)
		r.must(err)
		fmt.Fprintf(&one, "---\n%s\n", document)
	}
	const atATime = 8 // each kubectl limits itself to 50 requests in a second
	dir := r.TempDir()
	var wait sync.WaitGroup
	for part := range atATime {
		var copies strings.Builder
		for n := part; n < releases; n += atATime {
			copies.WriteString(strings.ReplaceAll(one.String(), firstRtID, fmt.Sprintf("65d5c447b420da3fb2%06x", n)))
		}
		file := filepath.Join(dir, fmt.Sprintf("copies-%d.yaml", part))
		r.must(os.WriteFile(file, []byte(copies.String()), 0o600))
		if copies.Len() > 0 {
			wait.Go(func() {
				if text, err := output("kubectl", "create", "--validate=false", "-f", file); err != nil {
					r.Errorf("cannot fill the namespace: %v\n%s", err, text)
				}
			})
		}
	}
	wait.Wait()
	r.command("kubectl", "wait", "deployments", "--all", "--for=condition=Available", "--timeout=10m", "--namespace", r.namespace)
}
