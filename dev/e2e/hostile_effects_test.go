package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/devcontroller"
)

// Secrets that nobody may see, in addition to brokerPassword.
const (
	plantedVictim   = "planted-victim-secret-3c19"    // the victim's secret override
	plantedTenant   = "planted-tenant-secret-77a2"    // a secret that a case itself brings
	plantedInternal = "planted-internal-answer-0b58"  // what an internal service answers
	plantedFile     = "planted-file-of-the-node-e410" // in a file outside the state directory
	plantedMallory  = "planted-chart-secret-91dd"     // the password of a case's repository
)

var hostilePlanted = []string{plantedVictim, plantedTenant, plantedInternal, plantedFile, plantedMallory, brokerPassword}

// victim is a workload of the tenant who must not notice anything.
var victim = devcontroller.Workload{Name: "Till", RtID: "65d5c447b420da3fb1230001", Type: devcontroller.Application}

const victimTenant = "victim-corp"

func victimRelease(generation devcontroller.Generation) string {
	if generation == devcontroller.G1 {
		return victimTenant + "-till"
	}
	return victimTenant + "-" + victim.RtID
}

// belongings are the victim's objects, by kind and name, without fields that the cluster itself keeps changing.
func (h *hostileWorld) belongings() map[string]string {
	h.Helper()
	names := []string{victimRelease(h.generation), victimTenant + "-" + h.victims.ID}
	var found struct{ Items []map[string]any }
	kinds := "deployments,configmaps,secrets,services,serviceaccounts,ingresses,roles,rolebindings,communicationpools,deploymentsites"
	h.must(json.Unmarshal([]byte(h.kubectl("get", kinds, "-o", "json")), &found))
	all := map[string]string{}
	for _, o := range found.Items {
		metadata := o["metadata"].(map[string]any)
		name := metadata["name"].(string)
		labels, _ := metadata["labels"].(map[string]any)
		named := slices.ContainsFunc(names, func(victims string) bool {
			return strings.Contains("-"+name+"-", "-"+victims+"-") || strings.Contains(name, "v1."+victims+".v")
		})
		if !named && labels["octo-mesh.meshmakers.io/tenant"] != victimTenant || labels["octo-mesh.meshmakers.io/journal"] != nil { // a Secret with copies of unfinished events
			continue
		}
		delete(o, "status")
		delete(metadata, "managedFields")
		delete(metadata, "resourceVersion")
		if kind := fmt.Sprint(o["kind"]); kind == "Deployment" {
			delete(metadata, "annotations") // the controller manager counts revisions there
		}
		text, err := json.Marshal(o)
		h.must(err)
		all[fmt.Sprintf("%s %s", o["kind"], name)] = string(text)
	}
	return all
}

// strangers finds objects that a case has created where it may not: each is called hostile-something.
func (w *world) strangers(elsewhere string) (found []string) {
	w.Helper()
	look := func(args ...string) {
		out, err := osexec.Command("kubectl", append(args, "-o", "name")...).Output()
		w.must(err)
		for line := range strings.Lines(string(out)) {
			if strings.Contains(line, "hostile-") {
				found = append(found, strings.TrimSpace(line))
			}
		}
	}
	look("get", "namespaces,clusterroles,clusterrolebindings,customresourcedefinitions,validatingwebhookconfigurations,mutatingwebhookconfigurations,priorityclasses,storageclasses")
	look("get", "configmaps,secrets,serviceaccounts,pods,deployments", "--namespace", elsewhere)
	look("get", "pods,roles,rolebindings,communicationpools,deploymentsites", "--namespace", w.namespace)
	return found
}

// watched is what was observed of the operator and its commands while they worked.
type watched struct {
	tree   float64  // MiB, the highest of all together
	single float64  // MiB, the highest of one command
	shown  []string // command lines and environments that contain a planted secret
	helms  int
}

// watch observes repeatedly until it is stopped. Secrets in the operator's own environment are expected.
func (w *world) watch(planted []string) (stop func() watched) {
	quit, result := make(chan struct{}), make(chan watched)
	pid := strconv.Itoa(w.operator.cmd.Process.Pid)
	go func() {
		var seen watched
		for {
			seen.look(pid, planted)
			select {
			case <-quit:
				result <- seen
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	return func() watched { close(quit); return <-result }
}

func (s *watched) look(operator string, planted []string) {
	tree, _ := readMebibytes(operator, "smaps_rollup", "Pss")
	own, _ := os.ReadFile(filepath.Join("/proc", operator, "cmdline"))
	for _, pid := range descendants(operator) {
		m, _ := readMebibytes(pid, "smaps_rollup", "Pss")
		tree, s.single = tree+m, max(s.single, m)
		line, _ := os.ReadFile(filepath.Join("/proc", pid, "cmdline"))
		if bytes.Equal(line, own) {
			continue // just forked: it is about to execute another program with another environment
		}
		environ, _ := os.ReadFile(filepath.Join("/proc", pid, "environ"))
		if bytes.HasPrefix(line, []byte("helm\x00")) {
			s.helms++
		}
		for _, secret := range planted {
			if bytes.Contains(line, []byte(secret)) || bytes.Contains(environ, []byte(secret)) {
				s.shown = append(s.shown, secret+" in "+strings.ReplaceAll(string(line), "\x00", " "))
			}
		}
	}
	s.tree = max(s.tree, tree)
}

// checkSecrets looks for planted secrets in everything that remains, and in everything that others can read.
func (w *world) checkSecrets(t *testing.T) {
	places := map[string]string{"the log": w.operator.text(), "a file of the state directory": w.filesBelow(w.stateDir)}
	for _, call := range w.controller.Calls() {
		if strings.HasPrefix(call.Method, "Report") {
			places["a report"] += fmt.Sprintf("%s\n", call.Args)
		}
	}
	// Tenants can read objects of releases, and the texts of other events in them.
	places["a config map"] = w.kubectl("get", "configmaps,deployments,services,pods", "-o", "json")
	for place, text := range places {
		for _, secret := range hostilePlanted {
			for _, form := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret))} {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s is in %s: …%.600q…", secret, place, text[max(0, at-300):at+len(form)])
				}
			}
		}
	}
}

// checkFiles: nothing was written outside the state directory, and no program that a case has named was run.
func (h *hostileWorld) checkFiles(t *testing.T) {
	var found []string
	h.must(filepath.WalkDir(h.outside, func(path string, entry os.DirEntry, err error) error {
		name, _ := filepath.Rel(h.outside, path)
		switch {
		case err != nil:
			return err
		case path == h.stateDir, name == "tmp", name == filepath.Join("home", ".kube"): // kubectl's cache
			return filepath.SkipDir
		case !entry.IsDir():
			found = append(found, name)
		}
		return nil
	}))
	if diff := cmp.Diff([]string{"file"}, found); diff != "" {
		t.Errorf("outside the state directory there is something else than before: %s", diff)
	}
	if text, err := os.ReadFile(filepath.Join(h.outside, "file")); err != nil || string(text) != plantedFile {
		t.Errorf("a file outside the state directory holds %q, %v", text, err)
	}
	if strings.Contains(h.filesBelow(filepath.Join(h.outside, "tmp")), "hostile") {
		t.Error("something hostile is left in the directory for temporary files")
	}
}

// checkLog: every line is a record, none is forged, none contains a character that a terminal obeys.
func (w *world) checkLog(t *testing.T) {
	text := w.operator.text()
	wrong := 0
	for line := range strings.Lines(text) {
		for _, problem := range problemsOf(strings.TrimSuffix(line, "\n")) {
			if wrong++; wrong <= 20 {
				t.Error(problem)
			}
		}
	}
	if wrong > 20 {
		t.Errorf("and %d more", wrong-20)
	}
	if len(text) > 32<<20 {
		t.Errorf("the log has %d MiB", len(text)>>20)
	}
}

// longestInLog is the limit for the text of a record, in bytes. A line of a tool is cut at 16 KiB.
const longestInLog = 20 << 10

func problemsOf(line string) (found []string) {
	say := func(format string, args ...any) { found = append(found, fmt.Sprintf(format, args...)) }
	if at := strings.IndexFunc(line, obeyed); at >= 0 {
		say("the log has a control character: %.300q", line[max(0, at-100):])
	}
	record := map[string]any{}
	if err := json.Unmarshal([]byte(line), &record); err != nil {
		return append(found, fmt.Sprintf("the log has a line that is no record: %.300q", line))
	}
	for key, value := range record {
		s, _ := value.(string)
		if at := strings.IndexFunc(s, func(r rune) bool { return r != '\n' && obeyed(r) }); at >= 0 {
			say("the log has a control character in %s: %.300q", key, s[max(0, at-100):])
		}
		if len(s) > longestInLog {
			say("a record of the log has a text of %d bytes in %s: %.100q", len(s), key, s)
		}
	}
	// No command line contains a hostile word, but only names, files and addresses that the operator has chosen.
	if cmd, _ := record["cmd"].(string); record["msg"] == "command" && strings.Contains(cmd, "forged") {
		say("the log tells of a command that was none: %.300q", line)
	}
	return found
}

// obeyed tells whether a character ends a line, moves a cursor or changes the direction of writing.
func obeyed(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || slices.Contains([]rune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), r)
}

// mostMemory is the operator's limit in MiB with all the cases at once, among them two dozen of 4 MiB and more.
const mostMemory = 150

// checkMemory: the operator's own memory stays low whatever the events contain, and none of its commands uses up the machine's.
func (h *hostileWorld) checkMemory(t *testing.T, seen watched) {
	highest, err := readMebibytes(strconv.Itoa(h.operator.cmd.Process.Pid), "status", "VmHWM")
	h.must(err)
	t.Logf("memory: the operator %.0f MiB at the most, one command %.0f, all together %.0f", highest, seen.single, seen.tree)
	if highest > mostMemory {
		t.Errorf("the operator took %.0f MiB, the limit is %d", highest, mostMemory)
	}
	if seen.single > 600 {
		t.Errorf("a command took %.0f MiB, the limit is 600", seen.single)
	}
	if seen.helms == 0 {
		t.Error("helm was never seen among the processes: the look at them is worth nothing")
	}
	for _, line := range seen.shown {
		t.Errorf("a command line or an environment shows %.300s", line)
	}
}
