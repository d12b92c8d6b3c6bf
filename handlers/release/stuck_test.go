package release

import (
	"testing"

	"octo-operator/names"
)

func TestWhoseHelmHasLeftAReleaseUnusableIsToldWithoutClocks(t *testing.T) {
	revision := func(status, run string) map[string]string {
		return map[string]string{"status": status, names.RunLabel: run}
	}
	const this, before = "run-2", "run-1"
	for _, test := range []struct {
		name      string
		revisions []map[string]string // newest first
		unclean   bool
		ours      bool
	}{
		{"an upgrade of ours, of whichever life", []map[string]string{revision("pending-upgrade", this), revision("deployed", before)}, false, true},
		{"an upgrade of a run that is not known any more", []map[string]string{revision("pending-upgrade", "run-x"), revision("deployed", before)}, false, true},
		{"a first install of ours", []map[string]string{revision("pending-install", this)}, false, true},
		{"somebody's upgrade: helm hands the label down", []map[string]string{revision("pending-upgrade", before), revision("deployed", before)}, false, false},
		{"the same, begun while a helm of ours failed", []map[string]string{revision("pending-upgrade", before), revision("deployed", before)}, true, false},
		{"the same after a rollback", []map[string]string{revision("pending-upgrade", before), revision("failed", this), revision("superseded", before)}, true, false},
		{"a second try of ours", []map[string]string{revision("pending-upgrade", this), revision("failed", this), revision("deployed", before)}, true, true},
		{"somebody's upgrade of what a try of ours has left", []map[string]string{revision("pending-upgrade", this), revision("failed", this)}, false, false},
		{"somebody's first install", []map[string]string{revision("pending-install", "")}, true, false},
		{"somebody's upgrade of their own release", []map[string]string{revision("pending-upgrade", ""), revision("deployed", "")}, false, false},
		{"a rollback of ours", []map[string]string{revision("pending-rollback", before), revision("failed", this), revision("superseded", before)}, true, true},
		{"somebody's rollback", []map[string]string{revision("pending-rollback", before), revision("deployed", this), revision("superseded", before)}, false, false},
		{"an uninstall of ours", []map[string]string{revision("uninstalling", before)}, true, true},
		{"somebody's uninstall", []map[string]string{revision("uninstalling", before)}, false, false},
	} {
		if got := history(test.revisions).begunByUs(this, test.unclean); got != test.ours {
			t.Errorf("%s: ours is %v", test.name, got)
		}
	}
}
