package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestValuesLeaveNothingInTheStateDirectory(t *testing.T) {
	store := stateDir(t)
	dir := filepath.Dir(store.Dir())
	paths := func() (all []string) {
		must(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error { all = append(all, path); return err }))
		return all
	}
	before := paths()
	event := filepath.Join(t.TempDir(), "event.json")
	must(t, os.WriteFile(event, []byte(`{"tenantId":"acme","workloadRtId":"65d5c447b420da3fb12381c1","workloadName":"Shop","valuesYaml":"a: b"}`), 0o600))
	must(t, printValues([]string{event}, valuesOptions{noChart: true, output: "text"}))
	if after := paths(); !slices.Equal(before, after) {
		t.Errorf("before %q, after %q", before, after)
	}
}
