package doctor

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWrongDoubtfulAndUnknownSettingsAreNamedAndNoValueOfThem(t *testing.T) {
	r := newRig(t, "OPERATOR__BROKERPORT=planted-value", "OPERATOR__HELM__TIMEOUT=soon", "OPERATOR__POOLNAMSPACE=x", "OPERATOR__BROKERPASSWRD=planted-secret")
	all := r.looks("settings")
	r.want(all, Fail, "OPERATOR__BROKERPORT", "connects to nothing")
	r.want(all, Warn, "OPERATOR__HELM__TIMEOUT")
	r.want(all, Warn, "OPERATOR__POOLNAMSPACE is not a setting: do you mean OPERATOR__POOLNAMESPACE?")
	if strings.Contains(show(all), "planted-secret") {
		t.Error(show(all))
	}
	r = newRig(t, "OPERATOR__DEFAULTPOOLNAME=x")
	r.want(r.looks("settings"), OK, "without effect here: OPERATOR__DEFAULTPOOLNAME")
}

func TestHelmAndKubectlAreThereAndOfAVersionThatTheOperatorIsMadeFor(t *testing.T) {
	for _, test := range []struct {
		name, tool, says string
		mark             Mark
		words            []string
	}{
		{"the image's helm", "helm", testedHelms[0] + ".9", OK, []string{"for which the operator is made", "/helm)"}},
		{"helm 3", "helm", testedHelms[1] + ".0", OK, []string{"for which the operator is made"}},
		{"a newer helm", "helm", "v4.99.0", OK, []string{"the operator is made for v4.3"}},
		{"an older helm", "helm", "v3.1.0", Warn, []string{"older than", "v3.22"}},
		{"helm 2", "helm", "v2.17.0", Fail, []string{"the scripts know helm 3 and helm 4", "install helm v4.3"}},
		{"something else", "helm", "shipwright", Fail, []string{"shipwright"}},
		{"a helm that hangs", "helm", "hangs", Fail, []string{"no answer within"}},
		{"the image's kubectl", "kubectl", "Client Version: " + testedKubectl + ".0", OK, []string{"for which the operator is made"}},
		{"another kubectl", "kubectl", "Client Version: v1.35.0", OK, []string{"made for " + testedKubectl}},
		{"an old kubectl", "kubectl", "Client Version: v1.20.0", Warn, []string{"install kubectl " + testedKubectl}},
		{"no kubectl", "kubectl", "none", Fail, []string{`its version is "none"`}},
		{"a kubectl that hangs", "kubectl", "hangs", Fail, []string{"no answer within"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t)
			r.tool(test.tool, test.says)
			look := r.looks
			if test.says == "hangs" {
				look = r.hanging
			}
			r.want(look(test.tool), test.mark, test.words...)
		})
	}
	r := newRig(t)
	r.must(os.Remove(filepath.Join(os.Getenv("PATH"), "helm")))
	r.want(r.looks("helm"), Fail, "no such command in PATH", "install helm on PATH", "nothing is deployed")
}

// The versions that the doctor calls tested must be those of the tests and the image.
func TestTheVersionsAreThoseThatTheDevelopmentClusterPins(t *testing.T) {
	for file, pinned := range map[string]string{
		"helm4.mod": "helm.sh/helm/v4 " + testedHelms[0] + ".", "helm3.mod": "helm.sh/helm/v3 " + testedHelms[1] + ".", "kubernetes.mod": "k8s.io/kubernetes " + testedKubectl + ".",
	} {
		text, err := os.ReadFile(filepath.Join("../dev/devcluster/tools", file))
		if err != nil || !strings.Contains(string(text), "\t"+pinned) {
			t.Errorf("%s does not pin %s…: %v", file, pinned, err)
		}
	}
	chart, err := os.ReadFile("../deploy/chart/Chart.yaml")
	if want := fmt.Sprintf(`kubeVersion: ">=%s-0"`, oldestKubernetes); err != nil || !strings.Contains(string(chart), want) {
		t.Errorf("the chart does not say %s: %v", want, err)
	}
}

func TestMemoryIsToldAsHelmsAtATime(t *testing.T) {
	r := newRig(t, "OPERATOR__MEMORYLIMIT=512Mi", "OPERATOR__CONCURRENCY=2")
	r.want(r.looks("memory"), OK, "limit 512 MiB", "helms at a time 2")
	r = newRig(t, "OPERATOR__MEMORYLIMIT=256Mi", "OPERATOR__CONCURRENCY=8")
	r.want(r.looks("memory"), Warn, "OPERATOR__CONCURRENCY is 8", "raise the container's memory limit")
	r = newRig(t, "OPERATOR__MEMORYLIMIT=128Mi")
	r.want(r.looks("memory"), Warn, "helms at a time 1", "raise the container's memory limit")
}

func TestTheStateDirectoryCanBeWrittenAndHasRoom(t *testing.T) {
	r := newRig(t)
	r.want(r.looks("state directory"), OK, "can be written", r.stateDir, "no runs yet")
	r.hasRun(deployFrom("https://charts.example.com"), deployFrom("https://charts.example.com"))
	r.want(r.looks("state directory"), OK, "runs 2, of ", " MiB free")

	file := filepath.Join(t.TempDir(), "file")
	r.must(os.WriteFile(file, nil, 0o700))
	r = newRig(t, "OPERATOR__STATEDIR="+filepath.Join(file, "state"))
	r.want(r.looks("state directory"), Fail, "is no directory", "set OPERATOR__STATEDIR")
	r = newRig(t, "OPERATOR__STATEDIR="+filepath.Join(t.TempDir(), "not", "made", "yet"))
	r.want(r.looks("state directory"), OK, "can be written")
}

func TestADiskIsJudgedByRoomForBytesAndForFiles(t *testing.T) {
	for name, test := range map[string]struct {
		free, files, all uint64
		mark             Mark
		says             string
	}{
		"room":                     {1 << 30, 1 << 20, 1 << 20, OK, "can be written"},
		"no table of files":        {1 << 30, 0, 0, OK, "can be written"},
		"almost full":              {100 << 20, 1 << 20, 1 << 20, Warn, "almost full"},
		"full":                     {1 << 20, 1 << 20, 1 << 20, Fail, "the disk is full"},
		"few files more":           {1 << 30, 500, 1 << 20, Warn, "almost full"},
		"no more files":            {1 << 30, 5, 1 << 20, Fail, "no room for more files"},
		"full, and of no files":    {0, 0, 0, Fail, "the disk is full: told"},
		"many files, little space": {leastFree, 1 << 20, 1 << 20, Warn, "almost full"},
	} {
		f := judgeDisk("told", int64(test.free), test.files, test.all)
		if f.Mark != test.mark || !strings.Contains(f.Found, test.says) || (f.Do == "") != (f.Mark == OK) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

func TestTheDaemonSaysHowItIs(t *testing.T) {
	const metrics = "# HELP x\nocto_operator_connected{generation=\"G4\"} 1\nocto_operator_pools_registered 3\nocto_operator_leader 1\ngo_threads 7\n"
	for name, test := range map[string]struct {
		ready, metrics string
		code           int
		mark           Mark
		words          []string
	}{
		"in order":        {"ready\n", metrics, 200, OK, []string{"ready, registered at the controller (generation G4), pools registered: 3, leads"}},
		"a standby":       {"ready, but:\nstanding by: pod-1 leads\n", "octo_operator_leader 0\n", 200, OK, []string{"ready, stands by"}},
		"in trouble":      {"ready, but:\nnot registered at the controller http://c\n", "", 200, Warn, []string{"not registered at the controller http://c"}},
		"unable":          {"cannot run helm: it is not on PATH\n", metrics, 503, Fail, []string{"not ready: cannot run helm"}},
		"something else":  {"404 page not found", "", 404, Skip, []string{"is no octo-operator"}},
		"without metrics": {"ready\n", "", 200, OK, []string{"daemon: ready"}},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, func(w http.ResponseWriter, request *http.Request) {
				if request.URL.Path == "/metrics" {
					fmt.Fprint(w, test.metrics)
					return
				}
				w.WriteHeader(test.code)
				fmt.Fprint(w, test.ready)
			})
			r := newRig(t, "KESTREL__ENDPOINTS__HTTP__URL=http://"+address)
			r.want(r.looks("daemon"), test.mark, test.words...)
		})
	}
	r := newRig(t, "KESTREL__ENDPOINTS__HTTP__URL=http://"+nobody(t))
	r.want(r.looks("daemon"), Skip, "none runs on this machine")
	r = newRig(t, "KESTREL__ENDPOINTS__HTTP__URL=http://"+nobody(t), "KUBERNETES_SERVICE_HOST=127.0.0.1")
	r.want(r.looks("daemon"), Fail, "nothing answers at", "look at the pod's log")
	r = newRig(t, "KESTREL__ENDPOINTS__HTTP__URL=http://"+deaf(t))
	r.want(r.hanging("daemon"), Fail, "does not answer at", "no answer within")
	r = newRig(t, "KESTREL__ENDPOINTS__HTTP__URL=http://127.0.0.1:0")
	r.want(r.looks("daemon"), Skip, "its port is chosen when it starts")
}

func TestTheClocksSkewIsWhatCannotBeTheRoundingOfTheServersSeconds(t *testing.T) {
	server := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct{ before, after, want time.Duration }{
		"the same":                {100 * time.Millisecond, 200 * time.Millisecond, 0},
		"within its second":       {900 * time.Millisecond, 990 * time.Millisecond, 0},
		"a slow answer":           {-3 * time.Second, 2 * time.Second, 0},
		"ahead":                   {11 * time.Second, 12 * time.Second, 10 * time.Second},
		"behind":                  {-11 * time.Second, -10 * time.Second, -10 * time.Second},
		"just at the next second": {time.Second, 2 * time.Second, 0},
	} {
		if got := skewOf(server.Add(test.before), server.Add(test.after), server); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
