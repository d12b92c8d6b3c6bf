package runs

import (
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// asUser runs a test of this package again as a user that has no entry in /etc/passwd: root may write everywhere.
func asUser(t *testing.T, id, name string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return // this one will do
	}
	dir, err := os.MkdirTemp("/tmp", "octo-as-user-") // that of the test is in a directory of root's
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	binary, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "test"), binary, 0o755)
	}
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "tmp"), 0o777)
	}
	if err == nil {
		err = os.Chmod(filepath.Join(dir, "tmp"), 0o777)
	}
	if err == nil {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := osexec.Command("setpriv", "--reuid", id, "--regid", id, "--clear-groups", filepath.Join(dir, "test"), "-test.run", "^"+name+"$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + filepath.Join(dir, "tmp")}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+name) {
		t.Errorf("as user %s: %v\n%s", id, err, out)
	}
}

func TestTheUsualStateDirectoryIsUsedWhereItCanBe(t *testing.T) {
	dir := t.TempDir()
	usual := filepath.Join(dir, "var", "state")
	got, instead, err := firstUsable(usual, []string{filepath.Join(dir, "tmp")})
	if got != usual || instead != nil || err != nil {
		t.Errorf("got %s, %v, %v", got, instead, err)
	}
	if left, _ := os.ReadDir(usual); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestAStateDirectoryThatIsSetIsTakenAsItIs(t *testing.T) {
	got, instead, err := Dir("/proc/not-a-place")
	if got != "/proc/not-a-place" || instead != nil || err != nil {
		t.Errorf("got %s, %v, %v", got, instead, err)
	}
}

// A file in place of the usual directory stands for a broken disk, which may hold events.
func TestABrokenDiskIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	usual := filepath.Join(dir, "state")
	if err := os.WriteFile(usual, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _, err := firstUsable(usual, []string{filepath.Join(dir, "tmp")}); got != usual || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestWhereTheUsualDirectoryCannotBeWrittenAnotherIsUsed(t *testing.T) {
	if os.Geteuid() == 0 {
		asUser(t, "1000", t.Name())
		return
	}
	dir := t.TempDir()
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	usual, first, second := filepath.Join(closed, "state"), filepath.Join(closed, "tmp"), filepath.Join(dir, "shm")
	for range 2 { // it is taken again in the next life
		got, instead, err := firstUsable(usual, []string{first, second})
		if got != second || err != nil || instead == nil || !strings.Contains(instead.Error(), usual) {
			t.Fatalf("got %s, %v, %v", got, instead, err)
		}
		if info, err := os.Stat(second); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%v, %v", info, err)
		}
	}
	_, _, err := firstUsable(usual, []string{first})
	if err == nil || !strings.Contains(err.Error(), usual) || !strings.Contains(err.Error(), first) || !strings.Contains(err.Error(), "set OPERATOR__STATEDIR") {
		t.Errorf("no directory can be used: %v", err)
	}
}

func TestADirectoryThatSomebodyElseHasPreparedIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	if err := os.Mkdir(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, prepare := range map[string]func(path string) error{
		"is no directory":   func(path string) error { return os.Symlink(inside, path) },
		"lets others in":    func(path string) error { return errors.Join(os.Mkdir(path, 0o755), os.Chmod(path, 0o755)) },
		"belongs to user 0": nil,
	} {
		path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
		if prepare == nil {
			if os.Geteuid() == 0 {
				continue // as user 1000, below
			}
			path = "/etc"
		} else if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		if err := private(path); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if os.Geteuid() == 0 {
		asUser(t, "1000", t.Name())
	}
}

func TestAHomeThatMayNotBeEnteredIsReplaced(t *testing.T) {
	if os.Geteuid() == 0 {
		asUser(t, "1000", t.Name())
		return
	}
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0); err != nil {
		t.Fatal(err)
	}
	for home, want := range map[string]string{closed: "/state", "": "", "/not/there": "/not/there", t.TempDir(): ""} {
		if want == "" {
			want = home
		}
		if got := Home(home, "/state"); got != want {
			t.Errorf("%q: got %q", home, got)
		}
	}
}
