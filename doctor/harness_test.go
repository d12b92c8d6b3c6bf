package doctor

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/hub"
)

// The test binary is also the fake helm and kubectl: it does what the files in HOME say. dev/e2e has the real ones.
func TestMain(m *testing.M) {
	tool := filepath.Base(os.Args[0])
	if tool != "helm" && tool != "kubectl" {
		os.Exit(m.Run())
	}
	if os.Args[1] == "proxy" {
		proxyTo(played("api"), strings.TrimPrefix(os.Args[len(os.Args)-1], "--unix-socket="))
	}
	version := played(tool)
	if version == "hangs" {
		select {}
	}
	fmt.Println(version)
	os.Exit(0)
}

func played(name string) string {
	text, err := os.ReadFile(filepath.Join(os.Getenv("HOME"), name))
	if err != nil {
		fmt.Fprintln(os.Stderr, "error: nothing is played:", err)
		os.Exit(1)
	}
	return string(text)
}

func proxyTo(api, socket string) {
	target, _ := url.Parse(api)
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Println("Starting to serve on", socket)
	_ = http.Serve(listener, httputil.NewSingleHostReverseProxy(target))
}

// rig is an examination of a simulated operator with which everything is in order.
type rig struct {
	*testing.T
	*examination
	home   string
	played map[string]http.HandlerFunc // the API server's answers, by path
}

// newRig simulates an operator with these settings in addition to its usual ones.
func newRig(t *testing.T, environ ...string) *rig {
	t.Helper()
	r := &rig{T: t, home: t.TempDir(), played: goodCluster()}
	self, err := os.Executable()
	r.must(err)
	bin := t.TempDir()
	for _, tool := range []string{"helm", "kubectl"} {
		r.must(os.Symlink(self, filepath.Join(bin, tool)))
	}
	t.Setenv("PATH", bin)
	r.tool("helm", testedHelms[0]+".1")
	r.tool("kubectl", "Client Version: "+testedKubectl+".2")
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if answer, there := r.played[request.URL.Path]; there {
			answer(w, request)
			return
		}
		status(http.StatusNotFound)(w, request)
	}))
	t.Cleanup(api.Close)
	r.tool("api", api.URL)
	usual := []string{
		"PATH=" + bin, "HOME=" + r.home, "OPERATOR__POOLNAMESPACE=octo", "OPERATOR__STATEDIR=" + t.TempDir(), "OPERATOR__AUTOMANAGEPOOLS=true",
		"OPERATOR__ALLOWEDREPOSITORYADDRESSES=127.0.0.0/8",
	}
	settings, wrong := config.Load(append(usual, environ...))
	r.examination = newExamination(Operator{settings, wrong, append(usual, environ...)})
	t.Cleanup(r.close)
	return r
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// tool sets what a tool prints as its version; "hangs": it hangs.
func (r *rig) tool(name, says string) {
	r.Helper()
	r.must(os.WriteFile(filepath.Join(r.home, name), []byte(says), 0o600))
}

// hasRun creates a run directory for each event.
func (r *rig) hasRun(events ...hub.WorkloadDeployed) {
	r.Helper()
	store, err := runs.Open(r.stateDir)
	r.must(err)
	for _, w := range events {
		argument, err := json.Marshal(w)
		r.must(err)
		run, err := store.Create(hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: argument}, "octo/shop")
		r.must(err)
		r.must(run.Finish(runs.Result{Outcome: runs.Succeeded}, nil))
	}
	r.stateDir, r.hasState = runs.Existing(r.stateDir)
}

// looks runs one check of the table as Examine does.
func (r *rig) looks(name string) []Finding {
	r.Helper()
	for _, c := range table {
		if c.name == name {
			return r.within(r.Context(), c)
		}
	}
	r.Fatalf("there is no check %s", name)
	return nil
}

// hanging is a check that ends only when its time is over, which is short.
func (r *rig) hanging(name string) []Finding {
	r.Helper()
	r.limit = 100 * time.Millisecond
	return r.looks(name)
}

// want looks for a finding with a mark and with all of the words in its text or its advice.
func (r *rig) want(all []Finding, mark Mark, words ...string) {
	r.Helper()
	for _, f := range all {
		line := f.Check + ": " + f.Found + " DO " + f.Do
		has := f.Mark == mark
		for _, w := range words {
			has = has && strings.Contains(line, w)
		}
		if has && ((mark == Warn || mark == Fail) == (f.Do != "")) {
			return
		}
	}
	r.Errorf("nothing is %s with %q, and what to do about it if it is bad; found:\n%s", mark, words, show(all))
}

func show(all []Finding) string {
	var b strings.Builder
	for _, f := range all {
		WriteText(&b, f, false)
	}
	return b.String()
}

// goodCluster has the answers of an API server with everything that the operator needs.
func goodCluster() map[string]http.HandlerFunc {
	const group = "/apis/octo-mesh.meshmakers.io"
	return map[string]http.HandlerFunc{
		"/version": says(`{"gitVersion": "` + testedKubectl + `.2"}`),
		"/readyz":  says("ok"),
		"/apis/authorization.k8s.io/v1/selfsubjectrulesreviews":  says(`{"status": {"resourceRules": [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]}}`),
		"/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": says(`{"status": {"allowed": true}}`),
		"/api/v1/namespaces/octo":                                says(`{"status": {"phase": "Active"}}`),
		group:                                                    says(`{"versions": [{"version": "v1"}, {"version": "v1alpha1"}]}`),
		group + "/v1":                                            says(`{"resources": [{"name": "deploymentsites"}, {"name": "deploymentsites/status"}]}`),
		group + "/v1alpha1":                                      says(`{"resources": [{"name": "communicationpools"}, {"name": "communicationpools/status"}]}`),
		definitionPath("communicationpools"):                     says(`{"metadata": {"labels": {"helm.sh/chart": "octo-operator-0.1.0"}, "annotations": {"meta.helm.sh/release-name": "octo", "meta.helm.sh/release-namespace": "mesh"}}}`),
		definitionPath("deploymentsites"):                        says(`{"metadata": {"managedFields": [{"manager": "kube-apiserver", "subresource": "status"}, {"manager": "kubectl", "subresource": ""}]}}`),
		webhooksPath("mutatingwebhookconfigurations"):            says(`{"items": []}`),
		webhooksPath("validatingwebhookconfigurations"):          says(`{"items": []}`),
	}
}

func definitionPath(plural string) string {
	return "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + plural + ".octo-mesh.meshmakers.io"
}

func webhooksPath(plural string) string { return "/apis/admissionregistration.k8s.io/v1/" + plural }

func says(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Audit-Id", "x")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"kind": "Status", "message": "the API server says %d"}`, code)
	}
}

// hangs never answers. It reads the request, because only then a server notices that its client has gone.
func hangs(_ http.ResponseWriter, request *http.Request) {
	_, _ = io.Copy(io.Discard, request.Body)
	<-request.Context().Done()
}

// deaf is the address of a server that accepts connections and never answers.
func deaf(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener.Addr().String()
}

// nobody is an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	return listener.Addr().String()
}

func serve(t *testing.T, handler http.HandlerFunc) (address string) {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

// identity is this operator's identity in its state directory.
func (r *rig) identity(is string) {
	r.Helper()
	r.must(os.WriteFile(filepath.Join(r.stateDir, "identity"), []byte(is), 0o600))
}
