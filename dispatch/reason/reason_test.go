package reason

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"octo-operator/dev/fixtures"
	"octo-operator/scripts"
	"octo-operator/text"
)

const reasons = "testdata/reasons"

// readFailure reads a failure from testdata: "name: value" lines, then blocks that begin with "--- name".
func readFailure(t *testing.T, file string) Failure {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(text), "--- ")
	value := map[string]string{}
	for line := range strings.Lines(head) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), ": ")
		value[name] = text
	}
	blocks := map[string]string{}
	for _, block := range strings.Split("\n"+rest, "\n--- ") {
		name, text, _ := strings.Cut(strings.TrimPrefix(block, "\n"), "\n")
		blocks[name] = text
	}
	timeout, err := time.ParseDuration(value["timeout"])
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return Failure{
		Step: strings.TrimSuffix(value["step"], ":"), Words: blocks["words"],
		Hopeless: value["hopeless"], Waiting: linesOf(blocks["waiting"]), Seen: linesOf(blocks["seen"]),
		Release: value["release"], Namespace: value["namespace"], Chart: value["chart"], Version: value["version"],
		Repository: value["repository"], Object: value["object"], Webhook: value["webhook"], Timeout: timeout, After: value["after"],
		Account: value["account"],
	}
}

func linesOf(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
}

// failures are real ones: output of helm 4.3.1, helm 3.22.0 and kubectl 1.37.2, and messages of pods and events. To add one,
// write its .txt, run the test with -update and read the .golden.
func failures(t *testing.T) map[string]Failure {
	t.Helper()
	files, err := filepath.Glob(reasons + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no failures in %s: %v", reasons, err)
	}
	all := map[string]Failure{}
	for _, file := range files {
		all[strings.TrimSuffix(filepath.Base(file), ".txt")] = readFailure(t, file)
	}
	return all
}

func TestTheReasonOfEachFailureIsTheOneThatHelps(t *testing.T) {
	for name, f := range failures(t) {
		t.Run(name, func(t *testing.T) {
			golden := filepath.Join(reasons, name+".golden")
			got := f.Message() + "\n"
			if *fixtures.Update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// checkForm says what is wrong with the form of a message.
func checkForm(message string) (problems []string) {
	complain := func(wrong bool, problem string) {
		if wrong {
			problems = append(problems, problem)
		}
	}
	first, _, _ := strings.Cut(message, "\n")
	complain(strings.TrimSpace(first) == "", "the first line is empty")
	complain(len(first) > maxCause, "the first line is too long")
	complain(regexp.MustCompile(`^[Ee]rror: |UPGRADE FAILED`).MatchString(first), "the first line begins as a tool's error does")
	complain(strings.HasSuffix(first, ":"), "the first line promises more")
	complain(strings.HasPrefix(first, "goroutine ") || strings.Contains(first, ".go:"), "the first line is a trace of Go")
	complain(len(message) > 4096, "more than 4 KiB")
	complain(!utf8.ValidString(message), "no UTF-8")
	complain(strings.ContainsFunc(message, func(r rune) bool { return unicode.IsControl(r) && r != '\n' }), "control characters")
	seen := map[string]bool{}
	for _, line := range strings.Split(message, "\n") {
		complain(seen[strings.TrimSpace(line)], "twice: "+line)
		seen[strings.TrimSpace(line)] = true
	}
	return problems
}

func TestEachReasonLeadsWithOnePlainLineAndIsShort(t *testing.T) {
	for name, f := range failures(t) {
		for _, problem := range checkForm(f.Message()) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

// Every cause must have a real example that it explains, so that no row is unreachable.
func TestEachCauseIsReachedByARealFailure(t *testing.T) {
	reached := map[*text.Pattern]bool{}
	note := func(table []cause, f Failure, text string) {
		for _, c := range table {
			if c.explain(f, text) != "" {
				reached[c.words] = true
				return
			}
		}
	}
	for _, f := range failures(t) {
		words := cleanWords(f.Words)
		if f.Step == scripts.ChartPull {
			note(pullCauses, f, words)
		} else if f.Step != "" {
			note(deployCauses, f, words)
		}
		for _, line := range append(f.Seen, f.Hopeless) {
			note(findingCauses, f, line)
		}
	}
	for name, table := range map[string][]cause{"pull": pullCauses, "deploy": deployCauses, "finding": findingCauses} {
		for i, c := range table {
			if !reached[c.words] {
				t.Errorf("%s cause %d is reached by no failure in %s: %s", name, i, reasons, c.words)
			}
		}
	}
}

// What pods say explains a wait in vain, but never an error of helm or kubectl.
func TestPodsDoNotExplainWhatTheToolsSayThemselves(t *testing.T) {
	for name, f := range failures(t) {
		if f.Words == "" || strings.HasPrefix(name, "hook") || strings.HasPrefix(name, "wait-") {
			continue
		}
		alone, _, _ := strings.Cut(f.Message(), "\n")
		f.Seen = []string{"pod web-1: container app: InvalidImageName: connection refused, Unauthorized, exceeded quota"}
		if with, _, _ := strings.Cut(f.Message(), "\n"); with != alone {
			t.Errorf("%s: %q became %q", name, alone, with)
		}
	}
}

func TestAConflictTellsWhoHoldsTheField(t *testing.T) {
	for manager, want := range map[string]string{
		`"helm" using apps/v1: .spec.paused`:                                                   "the field .spec.paused was last set by helm itself",
		`"before-first-apply" using apps/v1: .spec.paused`:                                     "most likely by helm itself",
		`"octo-communication-operator" using apps/v1: .spec.replicas`:                          "this operator's own scaling",
		`"octo-communication-operator" using apps/v1: .spec.paused`:                            "by this operator itself",
		`"kube-controller-manager" with subresource "scale" using apps/v1: .spec.replicas`:     "a HorizontalPodAutoscaler",
		`"kube-controller-manager" using apps/v1: .metadata.annotations.x`:                     "is set by kube-controller-manager",
		`"kubectl" with subresource "scale" using apps/v1: .spec.replicas`:                     "by hand with kubectl scale",
		`"kubectl-client-side-apply" using apps/v1: .spec.paused`:                              "with kubectl apply",
		`"kubectl": .spec.paused`:                                                              "with kubectl apply", // --server-side
		`"kubectl-edit" using apps/v1: .spec.paused`:                                           "by hand with kubectl edit (field manager kubectl-edit)",
		`"kubectl-rollout" using apps/v1: .spec.paused`:                                        "by hand with kubectl rollout",
		`"argocd-controller": .spec.paused`:                                                    "is set by argocd-controller",
		"\"argocd-controller\":\n- .spec.paused\n- .spec.replicas":                             "the field .spec.paused (and 1 more) is set by argocd-controller",
		"\"kubectl-set\" using apps/v1:\n- .spec.x\nconflicts with \"a\" using v1:\n- .spec.y": "the field .spec.x (and 1 more) was changed by hand with kubectl set",
	} {
		f := Failure{Step: scripts.WorkloadDeploy, Object: "Deployment web", Words: "error: Apply failed with 1 conflict: conflict with " + manager}
		got, _, _ := strings.Cut(f.Message(), "\n")
		if !strings.Contains(got, want) || !strings.HasPrefix(got, "Deployment web: ") {
			t.Errorf("%s: %s", manager, got)
		}
	}
}

// If a Job tries again between two looks, its event has the name of another pod.
func TestOfWhatTwoLooksSayAboutAnObjectTheNewerIsTold(t *testing.T) {
	for name, test := range map[string]struct{ earlier, found, want []string }{
		"the same words":                 {[]string{"job a: FailedCreate: pod 1", "pod b: X: y"}, []string{"job a: FailedCreate: pod 1"}, []string{"job a: FailedCreate: pod 1", "pod b: X: y"}},
		"another pod's name":             {[]string{"job a: FailedCreate: pod 1", "pod b: X: y"}, []string{"job a: FailedCreate: pod 2"}, []string{"pod b: X: y", "job a: FailedCreate: pod 2"}},
		"another reason":                 {[]string{"job a: FailedCreate: pod 1"}, []string{"job a: BackoffLimitExceeded: pod 2"}, []string{"job a: FailedCreate: pod 1", "job a: BackoffLimitExceeded: pod 2"}},
		"another object":                 {[]string{"job a: FailedCreate: pod 1"}, []string{"job b: FailedCreate: pod 1"}, []string{"job a: FailedCreate: pod 1", "job b: FailedCreate: pod 1"}},
		"two of one look":                {nil, []string{"pod a: container b: x", "pod a: container b: y"}, []string{"pod a: container b: x", "pod a: container b: y"}},
		"another reason of a container":  {[]string{"pod a: container b: ErrImagePull: unauthorized"}, []string{"pod a: container b: ImagePullBackOff: Back-off"}, []string{"pod a: container b: ErrImagePull: unauthorized", "pod a: container b: ImagePullBackOff: Back-off"}},
		"the same reason of a container": {[]string{"pod a: container b: CrashLoopBackOff: 10s"}, []string{"pod a: container b: CrashLoopBackOff: 20s"}, []string{"pod a: container b: CrashLoopBackOff: 20s"}},
		"what a container has said once": {[]string{"pod a: container b: Readiness probe failed"}, []string{"pod a: container b: was restarted"}, []string{"pod a: container b: Readiness probe failed", "pod a: container b: was restarted"}},
		"no reason":                      {[]string{"pod a: x"}, []string{"pod a: y"}, []string{"pod a: x", "pod a: y"}},
		"nothing is seen a second time":  {[]string{"job a: FailedCreate: pod 1"}, nil, []string{"job a: FailedCreate: pod 1"}},
	} {
		f := Failure{Step: scripts.WorkloadDeploy, Seen: test.earlier}
		f.See(test.found)
		_, seen, _ := strings.Cut(f.Message(), headingSeen+"\n")
		if got := strings.Split(seen, "\n"); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, want %q", name, got, test.want)
		}
	}
}

func TestALongReasonKeepsItsCauseAndWhatWasSeen(t *testing.T) {
	long := strings.Repeat("wörter ", 200)
	f := Failure{Step: scripts.WorkloadDeploy, After: "the release was uninstalled"}
	for i := range 10 {
		f.Words += "Error: " + string(rune('a'+i)) + long + "\n"
		f.Seen = append(f.Seen, "pod "+string(rune('a'+i))+": "+long[:300])
	}
	message := f.Message()
	if problems := checkForm(message); len(problems) > 0 {
		t.Errorf("%q in %q", problems, message)
	}
	for _, want := range append(f.Seen[:9], "the release was uninstalled", headingSeen) {
		if !strings.Contains(message, want) {
			t.Errorf("without %q: %q", want, message)
		}
	}
	if len(message) < 4000 {
		t.Errorf("only %d bytes are used", len(message))
	}
}

func FuzzAReasonHasItsFormWhateverTheToolsSay(f *testing.F) {
	for _, step := range []string{"", scripts.ChartPull, scripts.WorkloadDeploy} {
		f.Add(step, "Error: \x1b[31mx\r\n\x00", "pod a: container b: Error: \xff", "left as it was")
		f.Add(step, "", "", "")
		f.Add(step, "Error:\n* \n1 error occurred:\n", ":", "\n")
		f.Add(step, `conflict with "a": conflicts with "b":`, "x", "")
		f.Add(step, "values don't meet the specifications of the schema\n- at '/a': b", "", "")
		f.Add(step, `X "y" is invalid: [a: Invalid value: {]: Required value`, "", "")
		f.Add(step, "original upgrade error: a: a", "", "")
	}
	f.Fuzz(func(t *testing.T, step, words, seen, after string) {
		message := Failure{Step: step, Words: words, Seen: strings.Split(seen, "\n"), After: after, Hopeless: seen}.Message()
		for _, problem := range checkForm(message) {
			if !strings.HasPrefix(problem, "the first line is a trace") {
				t.Errorf("%s: %q", problem, message)
			}
		}
	})
}

// The facts of a failure are inserted into lines by name: a misspelled name would leave a gap.
func TestTheLinesOfTheTablesNameOnlyWhatThereIs(t *testing.T) {
	known := Failure{}.facts()
	known["object"] = ""
	for _, table := range [][]cause{pullCauses, deployCauses, findingCauses} {
		for _, c := range table {
			groups := map[string]bool{}
			for _, name := range c.words.SubexpNames() {
				groups[name] = true
			}
			for _, place := range placeholder.FindAllStringSubmatch(c.line, -1) {
				name := strings.Trim(place[0], "{}")
				if _, fact := known[name]; !fact && !groups[name] {
					t.Errorf("%s in %q is neither a fact nor a group of %s", place[0], c.line, c.words)
				}
			}
			if (c.line == "") == reflect.ValueOf(c.build).IsNil() {
				t.Errorf("%s has not exactly one of line and build", c.words)
			}
		}
	}
}

func TestASecretIsHiddenBeforeALineIsCut(t *testing.T) {
	const secret = "correct-horse-battery-staple"
	hide := func(s string) string { return strings.ReplaceAll(s, secret, "[redacted]") }
	for length := maxCause - 2*len(secret); length < maxCause; length++ {
		line := strings.Repeat("x", length) + " " + secret
		for name, f := range map[string]Failure{
			"what helm says": {Words: line}, "what pods say": {Seen: []string{line}}, "what is waited for": {Waiting: []string{line}},
			"what can never be": {Hopeless: line}, "what was done": {Words: "x", After: line},
		} {
			f.Hide = hide
			if got := f.Message(); strings.Contains(got, secret[:4]) {
				t.Fatalf("%s: %s", name, got)
			}
		}
	}
}
