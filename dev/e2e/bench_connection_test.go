package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octo-operator/dev/devcontroller"
)

const (
	benchPools    = 200
	targetPools   = 500
	targetSeconds = 5
	benchRestarts = 5
)

// BenchmarkConnection measures what the operator does with the connection alone.
func BenchmarkConnection(b *testing.B) {
	results := &table{}
	b.Run("pools", func(b *testing.B) { benchmarkRestart(b, results) })
	b.Run("start", func(b *testing.B) { benchmarkManyPools(b, results) })
	b.Run("events", func(b *testing.B) { benchmarkIntake(b, results) })
	results.print(os.Stdout)
}

// benchmarkRestart restarts the controller under an operator with 200 pools.
func benchmarkRestart(b *testing.B, results *table) {
	r := newRig(b)
	r.applyPools(manyPools(benchPools))
	r.waitForPools(benchPools)
	var all, afterConnect []float64
	for range benchRestarts {
		address := r.controller.Addr()
		r.must(r.controller.Close())
		before := r.controller.LastSeq()
		began := time.Now()
		r.must(r.controller.Start(address))
		r.waitFor("RegisterOperatorAsync", func(c devcontroller.Call) bool { return c.Seq > before && c.Error == "" })
		connected := time.Since(began)
		r.waitForPools(benchPools)
		all = append(all, milliseconds(time.Since(began)))
		afterConnect = append(afterConnect, milliseconds(time.Since(began)-connected))
	}
	results.single(b, fmt.Sprintf("controller restart to %d pools registered", benchPools), "ms", all, noTarget)
	results.single(b, fmt.Sprintf("of that, the %d pools", benchPools), "ms", afterConnect, noTarget)
}

// benchmarkManyPools starts the operator with 500 pools in the cluster.
func benchmarkManyPools(b *testing.B, results *table) {
	r := newRig(b)
	r.applyPools(manyPools(targetPools))
	r.waitForPools(targetPools)
	var took []float64
	for range benchRestarts {
		r.operator.stop(b)
		began := time.Now()
		r.start()
		r.waitForPools(targetPools)
		took = append(took, milliseconds(time.Since(began)))
	}
	results.single(b, fmt.Sprintf("start to %d pools registered", targetPools), "ms", took, targetSeconds*1000)
}

func (r *rig) waitForPools(n int) {
	for _, pool := range manyPools(n) {
		_, err := r.controller.WaitRegistered(r.ctx, pool)
		r.must(err)
	}
}

func (r *rig) applyPools(pools []devcontroller.Pool) {
	var objects strings.Builder
	for i, pool := range pools {
		text, err := json.Marshal(map[string]any{
			"apiVersion": "octo-mesh.meshmakers.io/v1alpha1", "kind": "CommunicationPool",
			"metadata": map[string]any{"name": fmt.Sprintf("pool-%d", i), "namespace": r.namespace},
			"spec":     map[string]any{"tenantId": pool.TenantID, "poolRtId": pool.ID},
		})
		r.must(err)
		fmt.Fprintf(&objects, "---\n%s\n", text)
	}
	file := filepath.Join(r.TempDir(), "pools.yaml")
	r.must(os.WriteFile(file, []byte(objects.String()), 0o600))
	r.command("kubectl", "create", "-f", file)
}
