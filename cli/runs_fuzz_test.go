package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
)

// Whatever a run directory contains, showing it does not crash, and prints nothing that moves a terminal's cursor.
func FuzzARunDirectoryIsShown(f *testing.F) {
	dirs, _ := filepath.Glob("../dispatch/runs/story/testdata/state/runs/*")
	for _, dir := range dirs {
		file := func(name string) []byte { text, _ := os.ReadFile(filepath.Join(dir, name)); return text }
		f.Add(filepath.Base(dir), file("event.json"), file("result.json"), file("timeline.jsonl"), file("env"), file("rerun"), file("output.log"))
	}
	f.Add("20261126T035910.000001Z-workload-deployed-a-0a1b2c",
		[]byte(`{"callback":"other","argument":{"tenantId":7}}`),
		[]byte(`{"outcome":"failed","seconds":-1e300,"ended":"9999-12-31T23:59:59-23:00"}`), []byte{}, []byte{}, []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, id string, event, result, timeline, env, rerun, output []byte) {
		if id == "" || strings.ContainsAny(id, "/\x00") || strings.HasPrefix(id, ".") || len(id) > 200 {
			return // not a run directory
		}
		dir := t.TempDir()
		run := filepath.Join(dir, "runs", id)
		must(t, os.MkdirAll(run, 0o700))
		for name, text := range map[string][]byte{
			"event.json": event, "result.json": result, "timeline.jsonl": timeline, "env": env, "rerun": rerun, "output.log": output,
		} {
			if len(text) > 0 {
				must(t, os.WriteFile(filepath.Join(run, name), text, 0o600))
			}
		}
		store, err := runs.OpenToRead(dir)
		must(t, err)
		list, _, err := story.List(store, story.Filter{}, now)
		must(t, err)
		if len(list) != 1 {
			t.Fatalf("%d runs", len(list))
		}
		s := story.Read(store.Run(id), now)
		var to bytes.Buffer
		printList(&to, list, now, true, 0)
		printList(&to, list, now, false, 80)
		printStory(&to, s, now, true, 100)
		must(t, printJSON(&to, s))
		wantNoControl(t, to.String())
	})
}
