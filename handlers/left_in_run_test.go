package handlers_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestNothingSecretThatAChartRendersStaysInTheRunDirectory(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.render = func(release, ns string, values object) []object {
			generated := object{
				"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": release + "-generated", "namespace": ns},
				"stringData": object{"password": "planted-by-the-chart"},
			}
			return append(renderDemo(release, ns, values), generated)
		}
	})
	r.deploy("shop")
	r.fails("helm upgrade", "Error: no")
	r.run(deployEvent("shop"))
	for _, dir := range r.runDirs() {
		entries, err := os.ReadDir(dir)
		r.must(err)
		for _, entry := range entries {
			if strings.Contains(readFile(filepath.Join(dir, entry.Name())), "planted") {
				t.Errorf("%s has it", entry.Name())
			}
		}
	}
}

func TestWhatAChartSaysReachesNoTerminalAsCommands(t *testing.T) {
	r := newRig(t)
	r.when("helm upgrade", func(c *call, usual func() int) int {
		c.say("level=WARN \x1b[2J\x1b]0;title\x07the chart")
		return usual()
	})
	r.deploy("shop")
	const want = "level=WARN the chart"
	if got := len(r.log.records(want)); got != 1 {
		t.Errorf("%d records of it", got)
	}
	wantText(t, r.file("output.log"), want+"\n")
	if strings.Contains(r.file("output.log"), "\x1b") {
		t.Error("output.log has escape sequences")
	}
}
