package scripts

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/fixtures"

	"github.com/google/go-cmp/cmp"
)

var (
	deploy = []string{
		"OCTO_RELEASE=acme-demo", "OCTO_NAMESPACE=octo", "OCTO_LABELS=octo-mesh.meshmakers.io/tenant=acme,x=y", "OCTO_TIMEOUT=5m0s",
		"OCTO_FIELD_MANAGER=octo-communication-operator", "OCTO_SECRET=", "OCTO_REPLICAS=", "OCTO_FORCE_CONFLICTS=false", "OCTO_HELM=4",
		"OCTO_UPGRADE=false", "OCTO_DRY_RUN_FORCES=false", "OCTO_WAIT=false", "OCTO_SECRET_REPLACES=false",
	}
	pull = []string{
		"OCTO_REPOSITORY=https://charts.example/stable", "OCTO_CHART=demo", "OCTO_CHART_VERSION=1.2.3", "OCTO_PLAIN_HTTP=false", "OCTO_CREDENTIALS=false", "OCTO_CHART_URL=",
	}
	oci  = with(pull, "OCTO_REPOSITORY=oci://registry.example:5000/charts/")
	pool = []string{
		"OCTO_POOL=acme-main", "OCTO_NAMESPACE=octo", "OCTO_FIELD_MANAGER=octo-communication-operator",
		"OCTO_POOL_RESOURCE=communicationpools.octo-mesh.meshmakers.io", "OCTO_SECRET=acme-main-octo-mesh-connection",
	}
	asTenant = "OCTO_AS=system:serviceaccount:octo:octo-tenant-acme"
	two      = "FAKE_DEPLOYMENTS=deployment.apps/web\ndeployment.apps/worker\n"
)

// with adds variables to others; if a name occurs twice, the last one counts.
func with(variables []string, more ...string) []string {
	return append(append([]string{}, variables...), more...)
}

// commands are all scripts in all their variants. Each has a golden file with what it announces and what it runs.
var commands = []struct {
	name, script string
	variables    []string
	files        []string
}{
	{"deploy-helm4", WorkloadDeploy, deploy, nil},
	{"deploy-helm3", WorkloadDeploy, with(deploy, "OCTO_HELM=3"), nil},
	{"deploy-helm4-force-conflicts", WorkloadDeploy, with(deploy, "OCTO_FORCE_CONFLICTS=true"), nil},
	{"deploy-helm3-force-conflicts", WorkloadDeploy, with(deploy, "OCTO_HELM=3", "OCTO_FORCE_CONFLICTS=true"), nil},
	{"deploy-helm4-secret", WorkloadDeploy, with(deploy, "OCTO_SECRET=acme-demo-octo-secrets"), []string{"secret.yaml"}},
	{"deploy-helm3-secret", WorkloadDeploy, with(deploy, "OCTO_HELM=3", "OCTO_SECRET=acme-demo-octo-secrets"), []string{"secret.yaml"}},
	{"deploy-secret-replaced", WorkloadDeploy, with(deploy, "OCTO_SECRET=acme-demo-octo-secrets", "OCTO_SECRET_REPLACES=true"), []string{"secret.yaml"}},
	{"deploy-again", WorkloadDeploy, with(deploy, "OCTO_SECRET=acme-demo-octo-secrets"), nil},
	{"deploy-again-secret-gone", WorkloadDeploy, with(deploy, "OCTO_SECRET=acme-demo-octo-secrets", "FAKE_FAILS=get secret"), nil},
	{"deploy-secret-refused", WorkloadDeploy, with(deploy, "FAKE_FAILS=--force-conflicts"), []string{"secret.yaml"}},
	{"deploy-dry-run-refused", WorkloadDeploy, with(deploy, "FAKE_FAILS=--dry-run=server"), nil},
	{"deploy-cannot-look", WorkloadDeploy, with(deploy, "FAKE_FAILS=apply", "FAKE_WORDS=no matches for kind \"Demo\""), nil},
	{"deploy-twice-named", WorkloadDeploy, with(deploy, "OCTO_DRY_RUN_FORCES=true", "FAKE_FAILS=apply", `FAKE_WORDS=failed to create typed patch object: .env: duplicate entries for key [name="A"]`), nil},
	{"deploy-twice-named-refused", WorkloadDeploy, with(deploy, "FAKE_FAILS=apply", `FAKE_WORDS=failed to create typed patch object: .env: duplicate entries for key [name="A"]`), nil},
	{"plan", WorkloadPlan, deploy, nil},
	{"plan-upgrade-as", WorkloadPlan, with(deploy, asTenant, "OCTO_UPGRADE=true", "OCTO_DRY_RUN_FORCES=true"), nil},
	{"plan-refused", WorkloadPlan, with(deploy, "FAKE_FAILS=--dry-run=server"), nil},
	{"deploy-upgrade", WorkloadDeploy, with(deploy, "OCTO_UPGRADE=true", "OCTO_DRY_RUN_FORCES=true"), nil},
	{"deploy-hooks-after", WorkloadDeploy, with(deploy, "OCTO_WAIT=true"), nil},
	{"rollback", WorkloadRollback, with(deploy, "OCTO_UPGRADE=", "OCTO_REVISION=3"), nil},
	{"deploy-helm4-force-conflicts-of-helm3", WorkloadDeploy, with(deploy, "OCTO_FORCE_CONFLICTS=true", "OCTO_UPGRADE=true", "FAKE_METHOD=csa"), nil},
	{"deploy-helm4-force-conflicts-upgrade", WorkloadDeploy, with(deploy, "OCTO_FORCE_CONFLICTS=true", "OCTO_UPGRADE=true"), nil},
	{"rollback-of-helm3", WorkloadRollback, with(deploy, "OCTO_UPGRADE=", "OCTO_REVISION=3", "FAKE_METHOD="), nil},
	{"rollback-helm3", WorkloadRollback, with(deploy, "OCTO_REVISION=3", "OCTO_HELM=3"), nil},
	{"rollback-scaled", WorkloadRollback, with(deploy, "OCTO_UPGRADE=", "OCTO_REVISION=3", "OCTO_REPLICAS=2", two), nil},
	{"rollback-first-install", WorkloadRollback, with(deploy, "OCTO_REVISION="), nil},
	{"restart", WorkloadRestart, with(deploy, "OCTO_RESTART=deployment/web statefulset/db"), nil},
	{"restart-refused", WorkloadRestart, with(deploy, "OCTO_RESTART=deployment/web", "FAKE_FAILS=restart"), nil},
	{"deploy-wakes-up", WorkloadDeploy, with(deploy, "OCTO_REPLICAS=1", two), nil},
	{"recover-pending", WorkloadRecover, with(deploy, "OCTO_STALE_REVISION=sh.helm.release.v1.acme-demo.v2"), nil},
	{"recover-uninstalling", WorkloadRecover, with(deploy, "OCTO_STALE_REVISION="), nil},
	{"deploy-odd-words", WorkloadDeploy, with(deploy, `OCTO_RELEASE=it's "$HOME" \ *`, "OCTO_LABELS=a=b c,d=`e`"), nil},
	{"deploy-kubeconfig", WorkloadDeploy, with(deploy, "KUBECONFIG=/a b/it's"), nil},
	{"undeploy", WorkloadUndeploy, with(deploy, "OCTO_SECRET=acme-demo-octo-secrets"), nil},
	{"undeploy-refused", WorkloadUndeploy, with(deploy, "OCTO_SECRET=acme-demo-octo-secrets", "FAKE_FAILS=uninstall"), nil},
	{"scale", WorkloadScale, with(deploy, "OCTO_REPLICAS=0", two), nil},
	{"scale-nothing", WorkloadScale, with(deploy, "OCTO_REPLICAS=3"), nil},
	{"scale-refused", WorkloadScale, with(deploy, "OCTO_REPLICAS=3", "FAKE_FAILS=get deployments"), nil},
	{"undeploy-no-secret", WorkloadUndeploy, with(deploy, "OCTO_SECRET="), nil},
	{"deploy-as", WorkloadDeploy, with(deploy, asTenant), []string{"secret.yaml"}},
	{"undeploy-as", WorkloadUndeploy, with(deploy, "OCTO_SECRET=acme-demo-octo-secrets", asTenant), nil},
	{"scale-as", WorkloadScale, with(deploy, "OCTO_REPLICAS=2", two, asTenant), nil},
	{"pull-http", ChartPull, pull, nil},
	{"pull-http-newest", ChartPull, with(pull, "OCTO_CHART_VERSION="), nil},
	{"pull-http-credentials", ChartPull, pull, []string{"repositories.yaml"}},
	{"pull-http-address", ChartPull, with(pull, "OCTO_CHART_URL=https://charts.example/stable/demo-1.2.3.tgz"), nil},
	{"pull-http-address-credentials", ChartPull, pull, []string{"repositories.yaml", "repository-cache/workload-index.yaml"}},
	{"pull-again-credentials-gone", ChartPull, with(pull, "OCTO_CREDENTIALS=true"), nil},
	{"pull-http-refused", ChartPull, with(pull, "FAKE_FAILS=pull"), nil},
	{"pull-oci", ChartPull, oci, nil},
	{"pull-oci-newest", ChartPull, with(oci, "OCTO_CHART_VERSION="), nil},
	{"pull-oci-plain-http-credentials", ChartPull, with(oci, "OCTO_PLAIN_HTTP=true"), []string{"registry.json"}},
	{"pool-deploy", PoolDeploy, pool, nil},
	{"pool-deploy-secret", PoolDeploy, pool, []string{"secret.yaml"}},
	{"pool-undeploy", PoolUndeploy, pool, nil},
	{"pool-undeploy-both-kinds", PoolUndeploy, with(pool, "OCTO_POOL_RESOURCE=communicationpools.octo-mesh.meshmakers.io,deploymentsites.octo-mesh.meshmakers.io"), nil},
	{"pool-undeploy-no-kind", PoolUndeploy, with(pool, "OCTO_POOL_RESOURCE="), nil},
	{"pool-undeploy-no-secret", PoolUndeploy, with(pool, "OCTO_SECRET="), nil},
	{"pool-undeploy-refused", PoolUndeploy, with(pool, "FAKE_FAILS=communicationpools.octo-mesh.meshmakers.io"), nil},
	{"tenant-pre-update", TenantPreUpdate, nil, nil},
}

func TestEachScriptRunsTheRightCommands(t *testing.T) {
	for _, test := range commands {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t)
			p.files(test.files...)
			stdout, stderr, exitCode := p.shell(test.variables, p.scripts.Path(test.script))
			fixtures.Golden(t, test.name+".golden", []byte(p.report(stdout, stderr, exitCode, p.argv())))
		})
	}
}

// A command without the account would have the operator's own rights.
func TestEveryCommandOnAWorkloadActsAsTheTenantsAccount(t *testing.T) {
	for _, test := range commands {
		if test.script == ChartPull || !strings.HasPrefix(test.script, "workload-") {
			continue
		}
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t)
			p.files(test.files...)
			p.shell(with(test.variables, asTenant), p.scripts.Path(test.script))
			ran := p.argv()
			for _, command := range ran {
				if command[0] == "octo-operator" {
					continue // it asks nobody
				}
				as := map[string]string{"helm": "--kube-as-user=", "kubectl": "--as="}[command[0]] + strings.TrimPrefix(asTenant, "OCTO_AS=")
				if !slices.Contains(command, as) {
					t.Errorf("%s is missing in %q", as, command)
				}
			}
			if len(ran) == 0 {
				t.Error("nothing ran")
			}
		})
	}
}

func TestAnAnnouncedCommandCanBePasted(t *testing.T) {
	for _, test := range commands {
		t.Run(test.name, func(t *testing.T) {
			p := newPlace(t)
			p.files(test.files...)
			_, stderr, _ := p.shell(test.variables, p.scripts.Path(test.script))
			ran := withoutLookups(p.argv())
			lines := announced(stderr)
			if len(lines) != len(ran) {
				t.Errorf("%d commands were announced, %d ran:\n%s\n%q", len(lines), len(ran), stderr, ran)
			}
			for _, line := range lines {
				p.shell(nil, "-c", "cd /; "+line)
			}
			if diff := cmp.Diff(ran, p.argv()); diff != "" {
				t.Errorf("what ran (-) and what was announced (+):\n%s", diff)
			}
		})
	}
}

func TestNoScriptPutsASecretOnACommandLine(t *testing.T) {
	for _, test := range commands {
		p := newPlace(t)
		p.files(test.files...)
		p.shell(test.variables, p.scripts.Path(test.script))
		for _, command := range p.argv() {
			for _, word := range command {
				if strings.HasPrefix(word, "--username") || strings.HasPrefix(word, "--password") || strings.HasPrefix(word, "--debug") ||
					strings.HasPrefix(word, "--pass-credentials") {
					t.Errorf("%s: %q", test.name, command)
				}
			}
		}
	}
}

// A person may run a script again in its run directory, also after a failure.
func TestAFailedPullCanBeRunAgain(t *testing.T) {
	p := newPlace(t)
	if _, _, exitCode := p.shell(with(pull, "FAKE_FAILS=pull"), p.scripts.Path(ChartPull)); exitCode != 1 {
		t.Errorf("exit code %d, want 1", exitCode)
	}
	if _, stderr, exitCode := p.shell(pull, p.scripts.Path(ChartPull)); exitCode != 0 {
		t.Errorf("exit code %d: %s", exitCode, stderr)
	}
}

func TestQuoteMakesWordsThatAShellReadsBack(t *testing.T) {
	words := []string{
		"", " ", "plain", "a=b", "it's", `"`, `'`, `''`, `\`, `\'`, "$HOME", "$(id)", "`id`", "a b", " a ", "a\tb", "a\nb", "a\n", "\n", "*",
		"~", "!x", "#x", "-n", "--", "{a,b}", "a;b", "a&b", "a|b", "<>", "é", "日本", "%s", "\\n", "/a/b:c@d+e-f_g.h",
	}
	for c := 1; c < 256; c++ {
		if c != 0x1e && c != 0x1f { // the fake separates words with these
			words = append(words, fmt.Sprintf("a%cb", c), string([]byte{byte(c)}))
		}
	}
	p := newPlace(t)
	script := `. "$OCTO_LIB"; announce helm "$@"`
	_, stderr, exitCode := p.shell(nil, append([]string{"-c", script, "sh"}, words...)...)
	line, ok := strings.CutPrefix(stderr, "+ ")
	if !ok || exitCode != 0 {
		t.Fatalf("got exit code %d and %q", exitCode, stderr)
	}
	p.shell(nil, "-c", line)
	if diff := cmp.Diff([][]string{append([]string{"helm"}, words...)}, p.argv()); diff != "" {
		t.Error(diff)
	}
}

func TestTheHelpersOfTheLibrary(t *testing.T) {
	p := newPlace(t)
	for _, test := range []struct {
		name, script, stdout, stderr string
		exitCode                     int
	}{
		{"die says why", `die "secret x is gone:" "deploy again"`, "", "Error: secret x is gone: deploy again\n", 1},
		{"run goes on", `run printf 'out\n'; echo after`, "out\nafter\n", "+ printf 'out\\n'\n", 0},
		{"run hands on the exit code", `run sh -c 'exit 3' || echo $?`, "3\n", "+ sh -c 'exit 3'\n", 0},
		{"finish becomes the command", `finish sh -c 'exit 4'; echo never`, "", "+ sh -c 'exit 4'\n", 4},
		{"a script keeps its variables", `line=a kubeconfig=b word=c; run true "it's"; echo "$line $kubeconfig $word"`, "a b c\n", "+ true 'it'\\''s'\n", 0},
		{"an unquoted word stays so", `announce helm -n octo a=b`, "", "+ helm -n octo a=b\n", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			stdout, stderr, exitCode := p.shell(nil, "-c", `. "$OCTO_LIB"; `+test.script)
			if stdout != test.stdout || stderr != test.stderr || exitCode != test.exitCode {
				t.Errorf("got %q, %q, %d", stdout, stderr, exitCode)
			}
		})
	}
}

func TestWhateverChangesTheReleaseGoesThroughTheGuard(t *testing.T) {
	p := newPlace(t)
	p.files("chart.tgz", "values.yaml")
	tool := `[ "$1" = patch ] || [ "$1" = upgrade ] && printf '%s: %s\n' "$1" "${KUBECONFIG-}" >>"$FAKE_ARGV.through"` + "\n"
	for _, name := range []string{"helm", "kubectl"} {
		file := filepath.Join(p.root, "bin", name)
		must(t, os.WriteFile(file, []byte(strings.Replace(fakeTool, "\n", "\n"+tool, 1)), 0o700))
	}
	variables := with(deploy, "OCTO_REPLICAS=0", two, "KUBECONFIG=/operators", "OCTO_KUBECONFIG=/operators", "OCTO_GUARDED=/guarded")
	_, stderr, code := p.shell(variables, p.scripts.Path(WorkloadDeploy))
	through, _ := os.ReadFile(p.at + ".through")
	if want := "patch: /guarded\nupgrade: /guarded\n"; code != 0 || string(through) != want || strings.Contains(stderr, "/guarded") {
		t.Errorf("exit code %d, through %q, want %q:\n%s", code, through, want, stderr)
	}
}
