package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRunsAreReadWhereTheOperatorHasThemAndNothingIsWritten(t *testing.T) {
	usual, other := filepath.Join(t.TempDir(), "usual"), filepath.Join(t.TempDir(), "other")
	if _, err := firstWithRuns([]string{usual, other}); err == nil || !strings.Contains(err.Error(), "set OPERATOR__STATEDIR as for the operator") {
		t.Errorf("without runs: %v", err)
	}
	must(t, os.MkdirAll(usual, 0o700))
	run := create(t, open(t, other))
	for range 2 {
		s, err := firstWithRuns([]string{usual, other})
		must(t, err)
		wantIDs(t, s.List, run)
	}
	if left, err := os.ReadDir(usual); err != nil || len(left) > 0 {
		t.Errorf("made: %v, %v", left, err)
	}
	if left, err := os.ReadDir(other); err != nil || len(left) != 1 {
		t.Errorf("made: %v, %v", left, err)
	}
	run = create(t, open(t, usual))
	s, err := firstWithRuns([]string{usual, other})
	must(t, err)
	wantIDs(t, s.List, run)
}

// leftAndUsed are a state directory that an operator of another user has left, and one that an operator uses, with its run. It is not for root, who may
// write to both.
func leftAndUsed(t *testing.T) (left, used string, run *Run) {
	t.Helper()
	left, used = filepath.Join(t.TempDir(), "left"), filepath.Join(t.TempDir(), "used")
	create(t, open(t, left))
	must(t, os.Chmod(left, 0o500))
	t.Cleanup(func() { os.Chmod(left, 0o700) })
	return left, used, create(t, open(t, used))
}

func TestWhatAnOperatorOfAnotherUserHasLeftDoesNotHideTheRuns(t *testing.T) {
	if os.Geteuid() == 0 { // who may read everything
		asUser(t, "1000", t.Name())
		return
	}
	left, used, run := leftAndUsed(t)
	s, err := firstWithRuns([]string{left, used})
	must(t, err)
	wantIDs(t, s.List, run)
	must(t, os.RemoveAll(used))
	if s, err := firstWithRuns([]string{left, used}); err != nil || s.Dir() != filepath.Join(left, "runs") {
		t.Errorf("got %+v, %v", s, err)
	}
}

func TestRunsOfAnotherUserAreAClearError(t *testing.T) {
	if os.Geteuid() == 0 { // who may read everything
		asUser(t, "1000", t.Name())
		return
	}
	for _, closed := range []string{".", "runs"} {
		dir := filepath.Join(t.TempDir(), "state")
		create(t, open(t, dir))
		must(t, os.Chmod(filepath.Join(dir, closed), 0))
		_, err := firstWithRuns([]string{filepath.Join(t.TempDir(), "nothing"), dir})
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), fmt.Sprintf("they belong to user %d, and this is user %[1]d", os.Geteuid())) || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s is closed: got %v", closed, err)
		}
		must(t, os.Chmod(filepath.Join(dir, closed), 0o700))
	}
}

func TestAnIDSaysWhatItWasMadeOf(t *testing.T) {
	for id, want := range map[string][3]string{
		"20261126T034257.823627Z-workload-deployed-acme-65d5c447b420da3fb12381c1-150188": {"WorkloadDeployed", "acme-65d5c447b420da3fb12381c1", "150188"},
		"20261126T034257.823627Z-workload-undeployed-a-150188":                           {"WorkloadUndeployed", "a", "150188"},
		"20261126T034257.823627Z-pre-update-tenant-acme-150188":                          {"PreUpdateTenant", "acme", "150188"},
		"20261126T034257.823627Z-pool-deployed--150188":                                  {"PoolDeployed", "", "150188"},
		"20261126T034257.823627Z-something-else-150188":                                  {"", "", "150188"},
		"20261126T034257.823627Z-150188":                                                 {"", "", "150188"},
		"20261126T034257.823627Z":                                                        {"", "", "20261126T034257.823627Z"},
		"":                                                                               {"", "", ""}, "-": {"", "", ""}, "aside-1": {"", "", "1"},
	} {
		run := &Run{ID: id}
		if callback, lane := run.Named(); [3]string{callback, lane, run.RandomEnd()} != want {
			t.Errorf("%s: got %q, %q, %q", id, callback, lane, run.RandomEnd())
		}
	}
}
