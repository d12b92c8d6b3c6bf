package story

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/runs"
)

// BenchmarkTenThousandRuns measures lists of a state directory with 10,000 ended runs: of the newest 20, and with filters for which
// the files of each run must be read.
func BenchmarkTenThousandRuns(b *testing.B) {
	dir := b.TempDir()
	begin := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i := range 10_000 {
		came := begin.Add(time.Duration(i) * time.Minute)
		run := filepath.Join(dir, "runs", fmt.Sprintf("%s-workload-deployed-acme-%024x-%06x", came.Format("20060102T150405.000000Z"), i%100, i))
		must(b, os.MkdirAll(run, 0o700))
		event := fmt.Sprintf(`{"callback":"WorkloadDeployed","argument":{"tenantId":"acme","poolRtId":"65d5c447b420da3fb12381bc","workloadName":"Shop",`+
			`"workloadRtId":"%024x","valuesYaml":%q}}`, i%100, strings.Repeat("a: b\n", 200))
		must(b, os.WriteFile(filepath.Join(run, "event.json"), []byte(event), 0o600))
		must(b, os.WriteFile(filepath.Join(run, "result.json"), fmt.Appendf(nil, `{"outcome":"succeeded","started":%q,"ended":%q,"seconds":1}`,
			came.Format(time.RFC3339), came.Add(time.Second).Format(time.RFC3339)), 0o600))
		must(b, os.WriteFile(filepath.Join(run, "env"), []byte("export OCTO_RELEASE=acme\nexport OCTO_NAMESPACE=octo\n"), 0o600))
	}
	store, err := runs.OpenToRead(dir)
	must(b, err)
	for _, filter := range []struct {
		name string
		Filter
	}{
		{"the newest 20", Filter{Most: 20}}, {"all", Filter{}}, {"none that failed", Filter{Failed: true, Most: 20}},
		{"none that is unfinished", Filter{Unfinished: true, Most: 20}}, {"none of a tenant", Filter{Tenant: "other", Most: 20}},
	} {
		b.Run(filter.name, func(b *testing.B) {
			for b.Loop() {
				if _, _, err := List(store, filter.Filter, now); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
