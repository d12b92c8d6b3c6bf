package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dev/fixtures"
	"octo-operator/scripts"
)

// typed runs commands as a person types them, with own as the files of OPERATOR__SCRIPTSDIR, and returns the output, in which that
// directory is called /scripts.
func typed(t *testing.T, own map[string]string, lines ...string) []byte {
	t.Helper()
	dir := t.TempDir()
	for name, script := range own {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("OPERATOR__SCRIPTSDIR", dir)
	var seen bytes.Buffer
	for _, line := range lines {
		fmt.Fprintf(&seen, "$ octo-operator %s\n", line)
		root := Command("dev", nil)
		root.SetArgs(strings.Fields(strings.ReplaceAll(line, "/scripts/", dir+"/")))
		root.SetOut(&seen)
		if err := root.ExecuteContext(t.Context()); err != nil {
			fmt.Fprintf(&seen, "octo-operator: %v\n", err)
		}
		seen.WriteByte('\n')
	}
	return bytes.ReplaceAll(seen.Bytes(), []byte(dir), []byte("/scripts"))
}

// changed is the default script of a step, with some words replaced.
func changed(t *testing.T, step, from, to string) string {
	t.Helper()
	text, err := scripts.Default(step)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q: %v", step, from, err)
	}
	return strings.ReplaceAll(string(text), from, to)
}

func TestTheScriptsCommandSaysWhatServesEachStepAndHowItDiffers(t *testing.T) {
	own := map[string]string{
		scripts.PoolDeploy:    changed(t, scripts.PoolDeploy, "set -eu", "set -eu"),
		scripts.WorkloadScale: changed(t, scripts.WorkloadScale, "--type merge", "--type strategic"),
		scripts.ChartPull:     "#!/bin/sh\nset -eu\ncp \"/charts/$OCTO_CHART-$OCTO_CHART_VERSION.tgz\" chart.tgz\n",
	}
	fixtures.Golden(t, "scripts.txt", typed(t, own, "scripts", "scripts diff workload-scale pool-deploy workload-deploy", "scripts show chart-pull",
		"scripts show --default tenant-pre-update", "scripts show nothing", "scripts lint"))
}

func TestWithoutOwnScriptsTheDefaultsServeEveryStep(t *testing.T) {
	t.Setenv("OPERATOR__SCRIPTSDIR", "")
	var seen bytes.Buffer
	for _, args := range [][]string{{"scripts"}, {"scripts", "diff"}, {"scripts", "lint"}} {
		root := Command("dev", nil)
		root.SetArgs(args)
		root.SetOut(&seen)
		if err := root.ExecuteContext(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if got := strings.Count(seen.String(), "the default\n"); got != len(scripts.Names())-1 {
		t.Errorf("%d steps are served by the default:\n%s", got, seen.String())
	}
}

func TestLintSaysWhatIsWrongAndFails(t *testing.T) {
	own := map[string]string{
		scripts.WorkloadDeploy: "#!/bin/sh\nhelm upgrade $OCTO_REALEASE chart.tgz\n",
		"helpers.sh":           "notify() { curl -d \"$1\" $url; }\n",
		"my-scale":             "#!/bin/sh\nset -eu\necho \"$OCTO_REVISION\x1b[2J\"\n",
	}
	fixtures.Golden(t, "scripts-lint.txt", typed(t, own, "scripts lint", "scripts lint /scripts/helpers.sh", "scripts lint --step workload-scale /scripts/my-scale /scripts/none",
		"scripts lint --step scale /scripts/my-scale", "scripts"))
}
