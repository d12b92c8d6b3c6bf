package runs

import (
	"os"
	"path/filepath"
	"testing"

	"octo-operator/hub"
)

func TestWhoOnlyReadsMakesNothing(t *testing.T) {
	set := filepath.Join(t.TempDir(), "state")
	if dir, found := Existing(set); dir != set || found {
		t.Errorf("before there is one: %s, %v", dir, found)
	}
	if _, err := os.Stat(set); !os.IsNotExist(err) {
		t.Errorf("the state directory was made: %v", err)
	}
	reader := Reading(set)
	if all, err := reader.List(); err == nil {
		t.Errorf("runs of a directory that is not there: %v", all)
	}
	if got := reader.KnownIdentity(); got != "" {
		t.Errorf("identity %q", got)
	}

	store, err := Open(set)
	if err != nil {
		t.Fatal(err)
	}
	identity, _, err := store.Identity()
	if err != nil {
		t.Fatal(err)
	}
	run, err := store.Create(hub.Event{Callback: hub.PreUpdateTenant}, "tenant/acme")
	if err != nil {
		t.Fatal(err)
	}
	all, err := reader.List()
	if dir, found := Existing(set); dir != set || !found || err != nil || len(all) != 1 || all[0].ID != run.ID || reader.KnownIdentity() != identity {
		t.Errorf("%s, %v: runs %v, %v, identity %q, want %q", dir, found, all, err, reader.KnownIdentity(), identity)
	}
}

// TestEachCommandLooksAtTheSameRuns: what an operator of another user has left is not what doctor looks at while runs lists the others.
func TestEachCommandLooksAtTheSameRuns(t *testing.T) {
	if os.Geteuid() == 0 { // who may read everything
		asUser(t, "1000", t.Name())
		return
	}
	left, used, _ := leftAndUsed(t)
	read, err := firstWithRuns([]string{left, used})
	must(t, err)
	if dir, found := existing([]string{left, used}); !found || dir != used || filepath.Join(dir, "runs") != read.Dir() {
		t.Errorf("one looks at %s, the other at %s", dir, read.Dir())
	}
}
