package runs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestARunIsFoundByWhateverAPersonHasOfItsID(t *testing.T) {
	store, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	const a, b, c = "20261126T100000.000001Z-workload-deployed-shop-aaaaaa", "20261126T100000.000002Z-workload-deployed-shop-bbbbbb", "20261126T100000.000003Z-scale-workload-shop-aaaaaa"
	for _, id := range []string{a, b, c} {
		if err := os.Mkdir(filepath.Join(store.Dir(), id), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]string{
		a: a, b: b,
		"20261126T100000.000001Z-aaaaaa": a,
		"bbbbbb":                         b,
		"aaaaaa":                         "", // two have it
		"shop":                           "",
		"":                               "",
		"../runs":                        "",
	} {
		run, err := store.Find(id)
		if want != "" && (err != nil || run.ID != want) || want == "" && (err == nil || errors.Is(err, fs.ErrNotExist) == (id == "aaaaaa")) {
			t.Errorf("%q: got %v, %v", id, run, err)
		}
	}
}
