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

// sides explains what is compared, below the table.
const sides = `operator: from the event to its report, which it sends when the pods are ready
by hand: a shell script in dev/e2e/testdata/by-hand, from its start to its end. three-commands: kubectl apply of the secret, helm upgrade
  --dry-run=server, helm upgrade --rollback-on-failure --wait; four-commands: those of scripts/workload-deploy; reference-sequence: those
  of the reference operator (repo add, repo update, history, dry run, upgrade), without what it does itself
discovery is cached on disk for all; the operator, three-commands and four-commands run helm and kubectl with GOGC=400, reference-sequence
  as the reference operator does, without`

// The scripts of a hand.
const (
	threeCommands     = "three-commands"
	fourCommands      = "four-commands"
	referenceSequence = "reference-sequence"
)

// hand does by hand what the operator does, with the values, secrets and chart that the operator has made. Its releases are in the same
// namespace, so that both have the same to search through.
type hand struct {
	rig        *rig
	name       string // prefix of its releases' names
	dir        string
	script     string
	values     string // the operator's, of its first release
	chart      []byte
	repository string
	releases   int
	more       string        // YAML, added to the values
	started    func(pid int) // called for each command that is run
}

// firstRelease is deployed by a rig's operator before anything is measured.
const (
	firstRelease = "acme-" + firstRtID
	firstRtID    = "65d5c447b420da3fb1000001"
)

// newHand makes a hand, and deploys once with a script, which fills the caches.
func newHand(r *rig, script string) *hand {
	r.Helper()
	h := newHandCalled(r, "hand", script)
	h.deploy(h.newRelease("red"))
	return h
}

// newHandCalled makes one of several hands in a rig. It has deployed nothing yet.
func newHandCalled(r *rig, name, script string) *hand {
	r.Helper()
	found, _ := filepath.Glob(filepath.Join(r.stateDir, "runs", "*-workload-deployed-*"))
	if len(found) == 0 {
		r.Fatalf("the operator left no run directory in %s", r.stateDir)
	}
	values, err := os.ReadFile(filepath.Join(found[0], "values.yaml"))
	r.must(err)
	chart, err := os.ReadFile(filepath.Join(found[0], "chart.tgz"))
	r.must(err)
	file, err := filepath.Abs(filepath.Join("testdata", "by-hand", script))
	r.must(err)
	return &hand{rig: r, name: name, dir: r.TempDir(), script: file, values: string(values), chart: chart, repository: r.repository, started: func(int) {}}
}

func (h *hand) newRelease(colour string) string {
	h.rig.Helper()
	h.releases++
	release := fmt.Sprintf("%s-%024x", h.name, h.releases) // as long as the operator's names
	h.rig.must(os.Mkdir(filepath.Join(h.dir, release), 0o700))
	h.write(release, colour)
	if filepath.Base(h.script) == referenceSequence { // the reference operator does that in its own process, which is not measured
		h.rig.command("kubectl", "apply", "-f", filepath.Join(h.dir, release, "secret.yaml"))
	}
	return release
}

// write writes the files of a release. Two deploys of the same release differ only in the colour and in what is added.
func (h *hand) write(release, colour string) {
	h.rig.Helper()
	dir := filepath.Join(h.dir, release)
	text := strings.NewReplacer(firstRelease, release, "COLOUR: red", "COLOUR: "+colour).Replace(h.values) + h.more
	h.rig.must(os.WriteFile(filepath.Join(dir, "chart.tgz"), h.chart, 0o600))
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

// deployMany deploys so many new releases, some of them at a time.
func (h *hand) deployMany(n, atATime int) cost {
	h.rig.Helper()
	args := []string{"-P", fmt.Sprint(atATime), "-n", "1", "/bin/sh", h.script}
	var releases []string
	for range n {
		releases = append(releases, h.newRelease("red"))
	}
	return h.run("sh", "-c", `printf '%s\n' "$@" | xargs `+strings.Join(args, " "), "sh", strings.Join(releases, "\n"))
}

// run runs a command and returns its cost. Its output goes to a file, as the operator's log does. The variables by which the operator
// makes its commands faster are set here too, with other directories; but not for the reference operator's commands, because it does not
// set them.
func (h *hand) run(name string, args ...string) cost {
	h.rig.Helper()
	log, err := os.OpenFile(filepath.Join(h.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	h.rig.must(err)
	defer log.Close()
	cmd := osexec.Command(name, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = h.dir, log, log
	cmd.Env = append(os.Environ(), "NAMESPACE="+h.rig.namespace, "REPOSITORY="+h.repository,
		"LABELS=octo-mesh.meshmakers.io/managed-by=by-hand,octo-mesh.meshmakers.io/tenant=acme,octo-mesh.meshmakers.io/pool-rt-id=65d5c447b420da3fb12381bc,octo-mesh.meshmakers.io/workload-rt-id=65d5c447b420da3fb1ffffff",
		"KUBECACHEDIR="+filepath.Join(h.dir, "kube"),
		"HELM_CACHE_HOME="+filepath.Join(h.dir, "helm-cache"), "HELM_CONFIG_HOME="+filepath.Join(h.dir, "helm-config"), "HELM_DATA_HOME="+filepath.Join(h.dir, "helm-data"))
	if filepath.Base(h.script) != referenceSequence {
		cmd.Env = append(cmd.Env, "GOGC=400")
	}
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

// checkFair makes sure that both did the same: as many releases, revisions and pods, and the same values.
func (r *rig) checkFair() {
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
	operator, byHand := values(firstRelease), values(fmt.Sprintf("hand-%024x", 1))
	if !slices.Equal(operator, byHand) {
		r.Errorf("unfair: the operator deployed\n%s\nthe hand\n%s", strings.Join(operator, "\n"), strings.Join(byHand, "\n"))
	}
}
