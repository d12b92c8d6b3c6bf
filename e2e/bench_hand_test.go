package e2e

import (
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// sides says what is compared, for whoever reads the table alone.
const sides = `operator: from the event to its report. scripts/workload-deploy asks the API server first (helm template and kubectl apply, both with
  --dry-run=server), applies the secret and runs helm upgrade --install; the operator waits for the pods itself
by hand: three commands in a shell script. kubectl apply of the secret; helm upgrade --dry-run=server; helm upgrade --rollback-on-failure,
  which waits for the pods`

// handScript is what a person would type for one deploy, and what the operator itself ran when helm still waited for the pods: $1 is
// the release, in whose directory the files lie.
const handScript = `#!/bin/sh
set -eu
cd "$HAND_DIR/$1"
kubectl apply --server-side --force-conflicts --field-manager by-hand -f secret.yaml
helm upgrade --install "$1" chart.tgz --namespace "$HAND_NAMESPACE" --values values.yaml \
    --labels "$HAND_LABELS" --hide-notes --dry-run=server >/dev/null
exec helm upgrade --install "$1" chart.tgz --namespace "$HAND_NAMESPACE" --values values.yaml \
    --labels "$HAND_LABELS" --hide-notes --rollback-on-failure --timeout 5m0s
`

// hand does by hand what the operator does, with the values, secrets and chart that the operator has made: its releases
// lie in the same namespace, so that both have the same to search through.
type hand struct {
	rig      *rig
	dir      string
	script   string
	like     string // the operator's run directory that serves as the model
	likeName string // its release
	releases int
	more     string        // YAML, added to the values
	started  func(pid int) // told of each command that is run
}

func newHand(r *rig) *hand {
	r.Helper()
	found, _ := filepath.Glob(filepath.Join(r.stateDir, "runs", "*-workload-deployed-*"))
	if len(found) == 0 {
		r.Fatalf("the operator left no run directory in %s", r.stateDir)
	}
	h := &hand{rig: r, dir: r.TempDir(), like: found[0], likeName: "acme-65d5c447b420da3fb1000001", started: func(int) {}}
	h.script = filepath.Join(h.dir, "deploy")
	r.must(os.WriteFile(h.script, []byte(handScript), 0o700))
	h.deploy(h.newRelease("red"))
	return h
}

func (h *hand) newRelease(colour string) string {
	h.rig.Helper()
	h.releases++
	release := fmt.Sprintf("hand-%024x", h.releases) // as long as the operator's
	h.rig.must(os.Mkdir(filepath.Join(h.dir, release), 0o700))
	h.write(release, colour)
	return release
}

// write writes the files of a release. Only the colour differs between two deploys of the same release.
func (h *hand) write(release, colour string) {
	h.rig.Helper()
	dir := filepath.Join(h.dir, release)
	values, err := os.ReadFile(filepath.Join(h.like, "values.yaml"))
	h.rig.must(err)
	chart, err := os.ReadFile(filepath.Join(h.like, "chart.tgz"))
	h.rig.must(err)
	text := strings.NewReplacer(h.likeName, release, "COLOUR: red", "COLOUR: "+colour).Replace(string(values)) + h.more
	h.rig.must(os.WriteFile(filepath.Join(dir, "chart.tgz"), chart, 0o600))
	h.rig.must(os.WriteFile(filepath.Join(dir, "values.yaml"), []byte(text), 0o600))
	h.rig.must(os.WriteFile(filepath.Join(dir, "secret.yaml"), []byte(fmt.Sprintf(`apiVersion: v1
kind: Secret
metadata: {name: %s-octo-secrets, namespace: %s, labels: {octo-mesh.meshmakers.io/managed-by: by-hand}}
stringData: {secrets.apiKey: planted-api-key-77, secrets.rabbitmq: %s}
`, release, h.rig.namespace, brokerPassword)), 0o600))
}

func (h *hand) deploy(release string) cost {
	h.rig.Helper()
	return h.run("/bin/sh", h.script, release)
}

func (h *hand) deployMany(n int) cost {
	h.rig.Helper()
	args := []string{"-P", fmt.Sprint(concurrency), "-n", "1", "/bin/sh", h.script}
	var releases []string
	for range n {
		releases = append(releases, h.newRelease("red"))
	}
	return h.run("sh", "-c", `printf '%s\n' "$@" | xargs `+strings.Join(args, " "), "sh", strings.Join(releases, "\n"))
}

// run returns what the command cost. Its output goes to a file, as the operator's log does. Discovery is cached, in
// a directory of its own as for the operator; else the environment is a person's: what the operator sets for its commands
// to make them faster is not in it.
func (h *hand) run(name string, args ...string) cost {
	h.rig.Helper()
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	h.rig.must(err)
	defer log.Close()
	cmd := osexec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), "HAND_DIR="+h.dir, "HAND_NAMESPACE="+h.rig.namespace,
		"HAND_LABELS=octo-mesh.meshmakers.io/managed-by=by-hand,octo-mesh.meshmakers.io/tenant=acme,octo-mesh.meshmakers.io/pool-rt-id=65d5c447b420da3fb12381bc,octo-mesh.meshmakers.io/workload-rt-id=65d5c447b420da3fb1ffffff",
		"KUBECACHEDIR="+filepath.Join(h.dir, "kube"))
	began := time.Now()
	h.rig.must(cmd.Start())
	h.started(cmd.Process.Pid)
	err = cmd.Wait()
	wall := time.Since(began)
	if err != nil {
		text, _ := os.ReadFile(log.Name())
		h.rig.Fatalf("deploying by hand: %v\n%s", err, text)
	}
	return cost{wall, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
}

// checkFair makes sure that both ways did the same: as many releases, revisions and pods, and the same values.
func (r *rig) checkFair(h *hand) {
	r.Helper()
	count := func(prefix string) (n int) {
		names := strings.Fields(r.command("kubectl", "get", "secrets,deployments,replicasets,services,configmaps", "--namespace", r.namespace, "-o", "name"))
		for _, name := range names {
			_, name, _ = strings.Cut(name, "/")
			if strings.HasPrefix(strings.TrimPrefix(name, "sh.helm.release.v1."), prefix) {
				n++
			}
		}
		return n
	}
	if operator, byHand := count("acme-65d5c447b420da3fb1000"), count("hand-"); operator != byHand {
		r.Errorf("unfair: the operator made %d objects, the hand %d", operator, byHand)
	}
	values := func(release string) []string {
		text := r.command("helm", "get", "values", release, "--namespace", r.namespace)
		lines := strings.Split(strings.ReplaceAll(text, release, "RELEASE"), "\n")
		return slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "adapterRtId:") })
	}
	operator, byHand := values(h.likeName), values(fmt.Sprintf("hand-%024x", 1))
	if !slices.Equal(operator, byHand) {
		r.Errorf("unfair: the operator deployed\n%s\nthe hand\n%s", strings.Join(operator, "\n"), strings.Join(byHand, "\n"))
	}
}
