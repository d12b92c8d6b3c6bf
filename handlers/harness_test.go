// Package handlers_test drives the operator without its connection and without a cluster: the real handlers with the real
// scripts, on fakes of what is around them. A rig is one test's world; newRig starts an operator in it as daemon.go does.
//
//	harness_test.go             the rig
//	harness_life_test.go        the operator from its start to its end, by SIGTERM or SIGKILL
//	harness_events_test.go      events, and how they end
//	harness_played_test.go      what a test lets helm and kubectl do, and what they have done
//	harness_log_test.go         the operator's log
//	harness_tools_test.go       helm and kubectl on the PATH, played by the test process
//	harness_helm_test.go        what that helm does
//	harness_revisions_test.go   the releases it makes
//	harness_kubectl_test.go     what that kubectl does
//	harness_api_test.go         the API server behind kubectl proxy
//	harness_objects_test.go     the objects in it
//	harness_workloads_test.go   what becomes of Deployments and the like
//	harness_controller_test.go  what the controller is told
//	harness_charts_test.go      charts to pull
//	harness_registry_test.go    the registry that has them
package handlers_test

import (
	"flag"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// patience ends a test that waits for what never comes; no test depends on its length.
const patience = 5 * time.Minute

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := withTools(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, "handlers:", err)
		code = 1
	}
	os.Exit(code)
}

func withTools(run func() int) (code int, err error) {
	// Many more tests beside each other than there are processors: they wait, most of the time. With more than this each takes so long on two
	// processors that nothing is won.
	if err := flag.Set("test.parallel", "24"); err != nil {
		return 1, err
	}
	dir, err := os.MkdirTemp("", "tools-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	if tools, err = startTools(dir); err != nil {
		return 1, err
	}
	if err := os.Setenv("PATH", dir+":"+os.Getenv("PATH")); err != nil {
		return 1, err
	}
	return run(), nil
}

// rig is one test's world: an operator and what it speaks with.
type rig struct {
	*testing.T
	cluster     *cluster
	controller  *controller
	charts      *shelf
	log         *recorded
	helmVersion string
	render      func(release, namespace string, values object) []object // what helm makes of a chart
	settings    map[string]string                                       // by name without OPERATOR__
	disk        string                                                  // the operator's state directory
	inspects    time.Duration                                           // how often what is not ready is looked for; 0: as usual
	life        *life                                                   // that lives; nil: none

	*played
}

// option changes a rig before its operator starts.
type option func(*rig)

// with sets OPERATOR__name.
func with(name, value string) option { return func(r *rig) { r.settings[name] = value } }

// central is the mode in which the operator makes pools itself.
func central(r *rig) { r.settings["AUTOMANAGEPOOLS"] = "true" }

// counted is for a test that counts requests: none comes or stays away because the machine is slow.
func counted(r *rig) {
	r.inspects = time.Hour
	comparesFirst(r)
}

// in puts the rig beside another one, in its cluster: a second operator.
func in(other *rig) option {
	return func(r *rig) { r.cluster, r.charts, r.controller = other.cluster, other.charts, other.controller }
}

// prepared lets a test prepare what the operator finds when it starts.
func prepared(prepare func(*rig)) option { return prepare }

const (
	tenant        = "acme"
	poolID        = "65d5c447b420da3fb12381bc"
	namespace     = "octo"
	controllerURI = "https://controller.test"
	repository    = "oci://registry.test/charts"
)

// newRig starts an operator with an empty cluster. Both end with the test, which runs beside others.
func newRig(t *testing.T, options ...option) *rig {
	t.Helper()
	t.Parallel()
	r := newWorld(t, options...)
	r.start()
	return r
}

// newWorld is newRig without an operator.
func newWorld(t *testing.T, options ...option) *rig {
	t.Helper()
	r := &rig{
		T: t, cluster: newCluster(), controller: newController(), charts: newShelf(), log: &recorded{}, played: &played{},
		helmVersion: "v4.3.1", render: renderDemo, disk: filepath.Join(tempDir(t), "state"),
		settings: map[string]string{"COMMUNICATIONCONTROLLERURI": controllerURI, "POOLNAMESPACE": namespace},
	}
	for _, o := range options {
		o(r)
	}
	t.Cleanup(func() {
		r.end()
		if t.Failed() {
			t.Logf("the operator's log:\n%s\nwhat it ran:\n%s", r.log, strings.Join(r.commands(), "\n"))
		}
	})
	return r
}

// tempDir is one whose path is short and may be set in the environment, which is not so of a test's name.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "rig-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// of is the same rig for a subtest, which does not run beside others.
func (r *rig) of(t *testing.T) *rig {
	same := *r
	same.T = t
	return &same
}

// eventually waits for a condition.
func (r *rig) eventually(what string, condition func() bool) {
	r.Helper()
	deadline := time.Now().Add(patience)
	for pause := time.Millisecond; !condition(); pause = min(2*pause, 20*time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("it did not come: %s", what)
		}
		time.Sleep(pause)
	}
}

// shell runs a program as a person would, in the cluster of the operator that lives.
func (r *rig) shell(program string, args ...string) error {
	cmd := osexec.Command(program, args...)
	cmd.Env = r.life.environ()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

// readFile is a file's text, or why there is none.
func readFile(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func wantText(t *testing.T, got string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(got, w) {
			t.Errorf("it lacks %q: %s", w, got)
		}
	}
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}
