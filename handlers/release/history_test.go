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
		{"an upgrade of a run that is not known here, which may be a live one of handle", []map[string]string{revision("pending-upgrade", "run-x"), revision("deployed", before)}, false, false},
		{"the same after an earlier life has left something in the lane", []map[string]string{revision("pending-upgrade", "run-x"), revision("deployed", before)}, true, true},
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

func TestARollbackGoesToTheNewestRevisionOfAnotherRunWhosePodsHaveBeenReady(t *testing.T) {
	revision := func(version, status, run, rollout string) map[string]string {
		return map[string]string{"version": version, "status": status, names.RunLabel: run, names.RolloutLabel: rollout}
	}
	const ready, waiting = names.RolloutReady, names.RolloutWaiting
	failed := revision("4", "failed", "run-4", waiting)
	for _, test := range []struct {
		name      string
		revisions history
		want      string
		ready     bool
	}{
		{"no release", nil, "", false},
		{"a first install", history{failed}, "", false},
		{"the one before", history{failed, revision("3", "deployed", "run-3", ready)}, "3", true},
		{"one that has been replaced", history{failed, revision("3", "superseded", "run-3", ready)}, "3", true},
		{"the newest that was ready, not the newest", history{failed, revision("3", "superseded", "run-3", waiting), revision("2", "superseded", "run-2", ready)}, "2", true},
		{"made by hand: helm had waited", history{failed, revision("3", "deployed", "", "")}, "3", true},
		{"none was ever ready: what helm calls good", history{failed, revision("3", "superseded", "run-3", waiting), revision("2", "superseded", "run-2", waiting)}, "3", false},
		{"another that failed", history{failed, revision("3", "failed", "run-3", waiting), revision("2", "superseded", "run-2", ready)}, "2", true},
		{"another try of the same run", history{failed, revision("3", "superseded", "run-4", ready), revision("2", "superseded", "run-2", ready)}, "2", true},
	} {
		got := test.revisions.rollbackTarget("run-4")
		if got != test.want || test.revisions.hasBeenReady(got) != test.ready {
			t.Errorf("%s: got revision %q, ready %v, want %q, %v", test.name, got, test.revisions.hasBeenReady(got), test.want, test.ready)
		}
	}
}

func TestWhoeverMakesARevisionAfterOneThatWasReadyHasItsLabelsFromHelm(t *testing.T) {
	revision := func(run, rollout string) map[string]string {
		return map[string]string{names.RunLabel: run, names.RolloutLabel: rollout}
	}
	for _, test := range []struct {
		name      string
		revisions history
		want      bool
	}{
		{"no release", nil, false},
		{"one revision", history{revision("a", names.RolloutReady)}, false},
		{"two runs", history{revision("b", names.RolloutWaiting), revision("a", names.RolloutReady)}, false},
		{"by hand", history{revision("a", names.RolloutReady), revision("a", names.RolloutReady)}, true},
		{"two tries of one run", history{revision("a", names.RolloutWaiting), revision("a", names.RolloutWaiting)}, false},
	} {
		if got := test.revisions.handedDown(); got != test.want {
			t.Errorf("%s: handed down is %v", test.name, got)
		}
	}
}

func TestOnlyTheRunThatHasWokenAWorkloadPutsItToSleepAgain(t *testing.T) {
	h := history{
		{names.RunLabel: "b", names.WakesLabel: "false"},
		{names.RunLabel: "a", names.WakesLabel: "true"},
	}
	if h.wokenBy("b") || !h.wokenBy("a") {
		t.Errorf("woken by b is %v, by a %v", h.wokenBy("b"), h.wokenBy("a"))
	}
}
