package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const targetJournal = 1.05 // times a deploy without copies in the cluster

// BenchmarkJournal compares deploys with and without copies of their events in the cluster: the time, and the requests.
func BenchmarkJournal(b *testing.B) {
	results := &table{}
	with, without := newRig(b), newRigWith(b, nil, "OPERATOR__CLUSTERJOURNAL=false")
	without.deploy(without.newWorkload("red")) // fills the caches, as newRig does
	for _, row := range []struct {
		what   string
		deploy func(*rig) func(i int) cost
	}{
		{"one deploy, copied (by hand: not copied)", func(r *rig) func(int) cost {
			return func(int) cost { return r.deploy(r.newWorkload("red")) }
		}},
		{"one warm redeploy, copied (by hand: not copied)", func(r *rig) func(int) cost {
			again := r.redeployer()
			again(-1)
			return again
		}},
	} {
		copied, alone := row.deploy(with), row.deploy(without)
		time.Sleep(settleTime) // the last copy is removed a moment after the report
		before, beforeAlone := with.requests(), without.requests()
		wall, cpu := comparePairs(*pairs, copied, alone)
		time.Sleep(settleTime)
		ratio := median(wall.ratios)
		results.comparison(row.what, wall, fmt.Sprintf("≤ %.2f", targetJournal), verdict(ratio, targetJournal))
		results.comparison("   its CPU time", cpu, "–", "")
		each := func(n int) float64 { return float64(n) / float64(*pairs) }
		results.note("%s: %.1f requests for each, not copied %.1f", row.what, each(with.requests()-before), each(without.requests()-beforeAlone))
		b.ReportMetric(ratio, "ratio")
	}
	results.print(os.Stdout)
	b.ReportMetric(0, "ns/op")
}

// requests counts the requests in the rig's namespace so far, of the operator and its commands, by the API server's audit log; without
// those that come at intervals: for the Lease, the pools, and events that were handed over.
func (r *rig) requests() (n int) {
	r.Helper()
	file, err := os.Open(filepath.Join(os.Getenv("OCTO_CLUSTER_DIR"), "audit.log"))
	r.must(err)
	defer file.Close()
	for lines := bufio.NewReader(file); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			return n
		}
		var event struct {
			RequestURI string
			User       struct{ Username string }
			ObjectRef  *struct{ Namespace, Resource string }
		}
		if !strings.Contains(line, r.namespace) || json.Unmarshal([]byte(line), &event) != nil || event.ObjectRef == nil || event.ObjectRef.Namespace != r.namespace {
			continue
		}
		clocked := strings.Contains("leases communicationpools deploymentsites", event.ObjectRef.Resource) || strings.Contains(event.RequestURI, "%2Fwaiting")
		if !clocked && strings.HasPrefix(event.User.Username, "system:serviceaccount:"+suiteNamespace+":") {
			n++
		}
	}
}
