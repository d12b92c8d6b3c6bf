package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/devcontroller"
)

var update = flag.Bool("update", false, "write testdata/failures/*.golden anew")

// failureCase is a deploy that fails. Its name is that of its workload, and of its golden file with the message that a user gets.
type failureCase struct {
	name   string
	chart  string                                      // "": demo-app
	worked bool                                        // an earlier deploy of the workload has succeeded
	given  func(*world, devcontroller.Workload)        // prepares the cluster before the deploy
	breaks func(w *world, app *devcontroller.Workload) // what is wrong with the deploy itself
	left   func(t *testing.T, before, after state)     // checks what is in the cluster afterwards
}

// To add a case, add it to the table, run the test with -update and read its golden file.
func TestEachFailureIsToldWithItsCauseAndLeavesWhatHasWorked(t *testing.T) {
	t.Parallel()
	for _, group := range failures {
		t.Run(group.name, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			group.operator(w)
			w.start()
			w.deployPool()
			w.fail(group.cases)
		})
	}
}

// fail runs all the cases at the same time.
func (w *world) fail(cases []failureCase) {
	w.Helper()
	w.letWork(cases)
	for _, c := range cases {
		if c.given != nil {
			c.given(w, w.workloadOf(c))
		}
	}
	before, seq := w.states(), w.controller.LastSeq()
	for _, c := range cases {
		app := w.workloadOf(c)
		app.Values = secret("new")
		c.breaks(w, &app)
		w.must(w.controller.Deploy(w.ctx, app))
	}
	statuses := map[string]status{}
	for _, c := range cases {
		statuses[c.name] = w.waitForStatus(w.workloadOf(c), seq)
	}
	after := w.states()
	for _, c := range cases {
		w.Run(c.name, func(t *testing.T) {
			checkMessage(t, c.name, w.withoutNames(statuses[c.name].StatusMessage))
			if statuses[c.name].Success {
				t.Error("it is reported as a success")
			}
			release := releaseOf(c.name)
			c.left(t, before[release], after[release])
		})
	}
}

// planted is a part of all secrets in these tests.
const planted = "planted-"

func secret(value string) []devcontroller.Override {
	return []devcontroller.Override{{Path: "secrets.apiKey", Value: planted + value, IsSecret: true}}
}

// letWork makes the deploys that succeed before the failing ones.
func (w *world) letWork(cases []failureCase) {
	w.Helper()
	seq := w.controller.LastSeq()
	cases = slices.DeleteFunc(slices.Clone(cases), func(c failureCase) bool { return !c.worked })
	for _, c := range cases {
		app := w.workloadOf(c)
		app.Values = secret("old")
		w.must(w.controller.Deploy(w.ctx, app))
	}
	for _, c := range cases {
		if s := w.waitForStatus(w.workloadOf(c), seq); !s.Success {
			w.Fatalf("%s does not work: %s", c.name, s.StatusMessage)
		}
	}
}

func (w *world) workloadOf(c failureCase) devcontroller.Workload {
	app := w.workload(c.name, runtimeID(c.name))
	if c.chart != "" {
		app.ChartName, app.ChartVersion = c.chart, "1.0.0"
	}
	return app
}

func runtimeID(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:12])
}

func releaseOf(name string) string { return "acme-" + runtimeID(name) }

func checkMessage(t *testing.T, name, message string) {
	t.Helper()
	first, _, _ := strings.Cut(message, "\n")
	for problem, wrong := range map[string]bool{
		"it has more than 4 KiB":                 len(message) > 4<<10,
		"its first line is empty":                strings.TrimSpace(first) == "",
		"its first line begins as helm's does":   strings.HasPrefix(first, "Error:"),
		"its first line is helm's end of a wait": strings.HasSuffix(first, "context deadline exceeded"),
		"it has control characters":              strings.ContainsFunc(message, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }),
		"a secret is in it":                      strings.Contains(message, planted),
	} {
		if wrong {
			t.Errorf("%s: %q", problem, message)
		}
	}
	file := filepath.Join("testdata", "failures", name+".golden")
	if *update {
		if err := os.WriteFile(file, []byte(message+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), message+"\n"); diff != "" {
		t.Error(diff)
	}
}

// changing matches what differs between two runs, apart from the namespace and the state directory.
var changing = []struct {
	words *regexp.Regexp
	text  string
}{
	{regexp.MustCompile(`acme-[0-9a-f]{24}`), "RELEASE"},
	{regexp.MustCompile(`RELEASE-[0-9a-z]{1,10}-[0-9a-z]{5}\b`), "RELEASE-POD"},
	{regexp.MustCompile(`(pods[/ ]"?RELEASE-)[0-9a-z]{5}\b`), "${1}POD"},
	{regexp.MustCompile(`replicaset RELEASE-[0-9a-z]+`), "replicaset RELEASE-SET"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "127.0.0.1:PORT"},
	{regexp.MustCompile(`/scripts/[0-9a-f]+/`), "/scripts/HASH/"},
	{regexp.MustCompile(`timed out after [0-9.]+s`), "timed out after SECONDS"},
}

// withoutNames replaces in a message what differs between runs.
func (w *world) withoutNames(message string) string {
	message = strings.NewReplacer(w.namespace, "NAMESPACE", w.stateDir, "STATE").Replace(message)
	for _, c := range changing {
		message = c.words.ReplaceAllString(message, c.text)
	}
	return message
}

// state is that of a release in the cluster.
type state struct {
	Revisions []string          // "1 deployed", oldest first
	Says      map[string]string // the content of objects, by kind and name
	Versions  map[string]string // the objects' versions
}

var ofRelease = regexp.MustCompile(`acme-[0-9a-f]{24}`)

// states returns the states of all releases, by name.
func (w *world) states() map[string]state {
	w.Helper()
	var found struct {
		Items []struct {
			Kind     string
			Metadata struct {
				Name, UID, ResourceVersion string
				Generation                 int
				Labels                     map[string]string
			}
			Spec struct{ Template json.RawMessage }
			Data map[string]string
		}
	}
	w.must(json.Unmarshal([]byte(w.kubectl("get", "deployments,configmaps,secrets", "-o", "json")), &found))
	all := map[string]state{}
	for _, o := range found.Items {
		name := o.Metadata.Name
		release := ofRelease.FindString(name)
		s, known := all[release]
		if !known {
			s = state{Says: map[string]string{}, Versions: map[string]string{}}
		}
		version := o.Metadata.ResourceVersion
		if o.Kind == "Deployment" { // because its status changes by itself
			version = fmt.Sprint(o.Metadata.Generation)
		}
		s.Versions[o.Kind+" "+name] = o.Metadata.UID + " " + version
		if o.Metadata.Labels["owner"] == "helm" {
			s.Revisions = append(s.Revisions, o.Metadata.Labels["version"]+" "+o.Metadata.Labels["status"])
		} else {
			s.Says[o.Kind+" "+name] = fmt.Sprintf("%s%v", o.Spec.Template, o.Data)
		}
		all[release] = s
	}
	return all
}

// untouched: the deploy was refused before anything was changed.
func untouched(t *testing.T, before, after state) {
	t.Helper()
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("it was touched: %s", diff)
	}
}

// rolledBack: what has worked before runs again. If the API server does not answer in time, there is more than one try.
func rolledBack(t *testing.T, before, after state) {
	t.Helper()
	if diff := cmp.Diff(before.Says, after.Says); diff != "" {
		t.Errorf("it is not what it was: %s", diff)
	}
	if n := len(after.Revisions); len(before.Revisions) != 1 || n < 3 || after.Revisions[n-1] != fmt.Sprint(n, " deployed") {
		t.Errorf("it has the revisions %q, and had %q", after.Revisions, before.Revisions)
	}
}

// uninstalled: nothing is left of a release that did not exist before.
func uninstalled(t *testing.T, before, after state) {
	t.Helper()
	if len(before.Versions) > 0 {
		t.Errorf("there was something before: %v", before.Versions)
	}
	if len(after.Versions) > 0 {
		t.Errorf("there is still: %v", after.Versions)
	}
}
