package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

const (
	backlogEvents   = 10_000
	backlogReleases = 1_000
	backlogBytes    = 100 << 10 // of each event
	targetBacklog   = 64        // MiB
)

// BenchmarkBacklog sends 10,000 large events while every lane is busy, and then lets them run.
func BenchmarkBacklog(b *testing.B) {
	results := &table{}
	dir := b.TempDir()
	r := newRigWith(b, map[string]string{
		"chart-pull": pullNothing,
		"workload-deploy": fmt.Sprintf("until [ -e %[1]s/gate ]; do sleep 0.2; done\n"+
			"echo \"$OCTO_RELEASE $(head -c 20 values.yaml | head -1)\" >>%[1]s/trace\n", dir),
		"workload-undeploy": fmt.Sprintf("until [ -e %[1]s/gate ]; do sleep 0.2; done\necho \"$OCTO_RELEASE undeployed\" >>%[1]s/trace\n", dir),
	}, "OPERATOR__LOGFORMAT=json")
	text := largeValues()
	began := time.Now()
	for n := range backlogEvents {
		app := r.backlogWorkload(n % backlogReleases)
		app.ValuesYaml = fmt.Sprintf("A: %d\n%s", n, text)
		if n%(4*backlogReleases) >= 2*backlogReleases && n%(4*backlogReleases) < 3*backlogReleases {
			r.must(r.controller.Undeploy(r.ctx, app))
		} else {
			r.must(r.controller.Deploy(r.ctx, app))
		}
	}
	r.waitForRecords(`"event received"`, backlogEvents)
	taken := time.Since(began)
	disk := diskUse(filepath.Join(r.stateDir, "runs"))
	full := r.operator.ownMemory(b)
	r.must(os.WriteFile(filepath.Join(dir, "gate"), nil, 0o600))
	r.waitForSettled(backlogEvents)
	all := time.Since(began)
	done := r.operator.ownMemory(b)

	results.single(b, fmt.Sprintf("memory, %d events of 100 KB", backlogEvents), "MiB", []float64{done.highest}, targetBacklog)
	results.note("taken in after %.0f s (%.0f/s), done after %.0f s; resident %.1f MiB with all of them waiting, %.1f MiB at the end; on disk %.0f MiB, then %.0f MiB",
		taken.Seconds(), backlogEvents/taken.Seconds(), all.Seconds(), full.resident, done.resident, disk, diskUse(filepath.Join(r.stateDir, "runs")))
	trace, err := os.ReadFile(filepath.Join(dir, "trace"))
	r.must(err)
	results.note("out of order: %d of %d releases; scripts run: %d", outOfOrder(string(trace)), backlogReleases, bytes.Count(trace, []byte("\n")))
	results.print(os.Stdout)
}

func (r *rig) backlogWorkload(n int) devcontroller.Workload {
	return devcontroller.Workload{
		Pool: r.pool, Name: fmt.Sprint("Shop ", n), RtID: fmt.Sprintf("65d5c447b420da3fb2%06x", n), Type: devcontroller.Application,
		RepositoryURL: openCharts.URL, ChartName: "demo-app", ChartVersion: "1.2.0",
	}
}

// largeValues is a document that compresses about as well as one that a person has written.
func largeValues() string {
	random := rand.New(rand.NewPCG(1, 2))
	var text strings.Builder
	for i := 0; text.Len() < backlogBytes; i++ {
		fmt.Fprintf(&text, "SETTING_%05d: \"https://service-%d.example.com/path/%x\"\n", i, random.IntN(1000), random.Uint32())
	}
	return text.String()
}

// outOfOrder counts releases in which an older deploy ran after a newer one, or the newest did not run last.
func outOfOrder(trace string) int {
	last, wrong := map[string]int{}, map[string]bool{}
	for line := range strings.Lines(trace) {
		number := 0
		release, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		if _, err := fmt.Sscanf(what, "A: %d", &number); err != nil {
			continue
		}
		if before, ok := last[release]; ok && number < before {
			wrong[release] = true
		}
		last[release] = number
	}
	for release, number := range last {
		if number < backlogEvents-backlogReleases {
			wrong[release] = true
		}
	}
	return len(wrong) + backlogReleases - len(last)
}

func (r *rig) waitForRecords(text string, n int) {
	r.Helper()
	for deadline := time.Now().Add(10 * patience); strings.Count(r.operator.text(), text) < n; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("%d of %d records %s", strings.Count(r.operator.text(), text), n, text)
		}
	}
}

// waitForSettled waits until so many events have ended.
func (r *rig) waitForSettled(n int) {
	r.Helper()
	ended := func() int {
		log := r.operator.text()
		return strings.Count(log, `"event done"`) + strings.Count(log, `"event superseded"`) + strings.Count(log, `"event failed"`)
	}
	for deadline := time.Now().Add(10 * patience); ended() < n; time.Sleep(500 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("%d of %d events have ended", ended(), n)
		}
	}
	time.Sleep(2 * time.Second) // the last runs are removed
}

// diskUse in MiB.
func diskUse(dir string) float64 {
	total := int64(0)
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil {
			return nil // removed meanwhile
		}
		if info, err := entry.Info(); err == nil && entry.Type().IsRegular() {
			total += info.Size()
		}
		return nil
	})
	return float64(total) / (1 << 20)
}
