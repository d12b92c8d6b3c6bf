package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// openToOthers finds the files and directories below dir that another user can reach, through directories that the user may enter.
func openToOthers(t *testing.T, dir string) (open []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return nil // it was removed meanwhile
		}
		info, err := entry.Info()
		if err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return nil
		}
		if info.Mode().Perm()&0o077 != 0 {
			open = append(open, fmt.Sprintf("%s %s", info.Mode(), path))
		} else if entry.IsDir() {
			return fs.SkipDir // others may not enter
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return open
}

// A pod's volume is writable for everybody, and a container may be started with any umask.
func TestNobodyElseReachesWhatIsInTheStateDirectoryWhateverTheUmask(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.must(os.Chmod(w.stateDir, 0o777))
	gate := filepath.Join(w.TempDir(), "gate")
	w.swap(map[string]string{"workload-deploy": fmt.Sprintf("until [ -e %s ]; do sleep 0.05; done; exec \"$(dirname \"$OCTO_LIB\")/workload-deploy\"\n", gate)})
	w.wrap = []string{"sh", "-c", `umask 000; exec "$@"`, "sh"}
	w.start()
	w.deployPool()
	app, after := w.workload("Shop", appRtID), w.controller.LastSeq()
	app.RepositoryURL, app.RepositoryUsername, app.RepositoryPassword = closedCharts.URL, chartUser, chartPassword
	app.Values = secret("umask")
	w.must(w.controller.Deploy(w.ctx, app))
	there := func() bool {
		files, _ := filepath.Glob(filepath.Join(w.stateDir, "runs", "*", "secret.yaml"))
		return len(files) > 0
	}
	if !w.eventually(there) {
		t.Fatal("no deploy runs")
	}
	if open := openToOthers(t, w.stateDir); len(open) > 0 {
		t.Errorf("while a deploy runs:\n%s", strings.Join(open, "\n"))
	}
	w.must(os.WriteFile(gate, nil, 0o600))
	if s := w.waitForStatus(app, after); !s.Success {
		t.Fatal(s.StatusMessage)
	}
	if open := openToOthers(t, w.stateDir); len(open) > 0 {
		t.Errorf("after it:\n%s", strings.Join(open, "\n"))
	}
}
