package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// withEachHelm runs a test with helm 3 and helm 4, each with its own operator and pool.
func withEachHelm(t *testing.T, test func(t *testing.T, w *world), env ...string) {
	t.Helper()
	t.Parallel()
	for _, helm := range []string{"3", "4"} {
		t.Run("helm "+helm, func(t *testing.T) {
			w := newWorld(t, devcontroller.G3)
			w.env = slices.Clone(env)
			w.withHelm(helm)
			w.start()
			w.deployPool()
			test(t, w)
		})
	}
}

const victimsKey = "planted-for-the-victim"

// stateText is the content of all files in the state directory.
func (w *world) stateText() string {
	w.Helper()
	var all strings.Builder
	w.must(filepath.WalkDir(w.stateDir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			var text []byte
			text, err = os.ReadFile(path)
			all.Write(text)
		}
		if errors.Is(err, fs.ErrNotExist) { // delivered meanwhile
			return nil
		}
		return err
	}))
	return all.String()
}

// rendering returns a workload whose chart has this template.
func (w *world) rendering(template string) devcontroller.Workload {
	app := w.workload("Shop", appRtID)
	app.ChartName, app.ChartVersion = "anything", "1.0.0"
	app.ValuesYaml = "template: |\n  " + strings.ReplaceAll(template, "\n", "\n  ") + "\n"
	return app
}

const (
	harmless = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}"
	forged   = "apiVersion: v1\nkind: Secret\nmetadata: {name: sh.helm.release.v1.victim.v99}\ntype: helm.sh/release.v1"
	thief    = "apiVersion: v1\nkind: Pod\nmetadata: {name: thief}\nspec: {containers: [{name: a, image: a, envFrom: [{secretRef: {name: victim-octo-secrets}}]}]}"
	// read is a template that tries to read a Secret that the operator may read.
	read = `{{ fail (printf "it is %s" ((index (lookup "v1" "Secret" .Release.Namespace "victim-octo-secrets").data "key") | b64dec)) }}`
)

// objects are the names of objects that charts could have created, without those that come and go by themselves, such as copies of
// events.
func (w *world) objects() string {
	all := strings.Fields(w.kubectl("get", "secrets,configmaps,pods", "-o", "name"))
	all = slices.DeleteFunc(all, func(name string) bool {
		return name == "configmap/kube-root-ca.crt" || strings.HasPrefix(name, "secret/octo-journal-") || strings.HasPrefix(name, "secret/sh.helm.release.v1.acme-")
	})
	return strings.Join(all, "\n")
}

func TestAChartThatTouchesAnotherReleaseIsRefusedAndChangesNothing(t *testing.T) {
	withEachHelm(t, func(t *testing.T, w *world) {
		before := w.objects()
		smuggler := w.workload("Shop", appRtID)
		smuggler.ChartName, smuggler.ChartVersion = "smuggler", "1.0.0"
		blinding := smuggler // fails like a chart that has the kind of its objects in crds/, which helm creates before it renders
		blinding.ValuesYaml = "blind: true\n"
		for _, test := range []struct {
			app  devcontroller.Workload
			want string
		}{
			{w.rendering(forged), "Secret sh.helm.release.v1.victim.v99 would count as a revision of a Helm release"},
			{w.rendering(strings.Replace(forged, "v99", "v99, annotations: {helm.sh/hook: pre-install}", 1)), "Secret sh.helm.release.v1.victim.v99 would count as"},
			{smuggler, "Secret sh.helm.release.v1.victim.v99 would count as"},
			{blinding, "Secret sh.helm.release.v1.victim.v99 would count as"},
			{w.rendering(thief), "Pod thief names the Secret victim-octo-secrets"},
			{w.rendering(strings.Replace(harmless, "}'}", "}', namespace: kube-system}", 1)), "belongs into namespace kube-system"},
		} {
			s := w.deploy(test.app)
			if first, _, _ := strings.Cut(s.StatusMessage, "\n"); s.Success || !strings.HasPrefix(first, "the manifest is refused: ") || !strings.Contains(first, test.want) {
				t.Errorf("want …%s…, reported %v: %s", test.want, s.Success, s.StatusMessage)
			}
		}
		if after := w.objects(); after != before {
			t.Errorf("before there was\n%s\nafter\n%s", before, after)
		}
		other := w.rendering(strings.Replace(harmless, "'{{ .Release.Name }}'", "taken", 1))
		other.Name, other.RtID = "Other", brokenRtID
		if s := w.deploy(other); !s.Success {
			t.Errorf("an ordinary chart: %s", s.StatusMessage)
		}
		s := w.deploy(w.rendering(strings.Replace(harmless, "'{{ .Release.Name }}'", "taken", 1)))
		if want := "ConfigMap taken in namespace " + w.namespace + " belongs to release acme-" + brokenRtID; s.Success || !strings.HasPrefix(s.StatusMessage, want) {
			t.Errorf("an object of another release, which helm itself refuses: reported %v: %s", s.Success, s.StatusMessage)
		}
		if s := w.deploy(w.rendering("")); !s.Success {
			t.Errorf("a chart that makes nothing: %s", s.StatusMessage)
		}
		if s := w.deploy(w.rendering(harmless)); !s.Success {
			t.Errorf("an ordinary chart: %s", s.StatusMessage)
		}
	}, "KUBECONFIG="+os.Getenv("KUBECONFIG")) // with the chart's role it would fail for another reason
}

// When helm 4.3.1 passes both of these to a post-renderer, it writes them in another way.
func TestTheTextsOfAChartAreAppliedToTheLetter(t *testing.T) {
	withEachHelm(t, func(t *testing.T, w *world) {
		if s := w.deploy(w.rendering(harmless + "\ndata:\n  folded: >-\n    first\n      code\n\n    last\n  block: |\n    line\n{{- /* without a line break */ -}}")); !s.Success {
			t.Fatal(s.StatusMessage)
		}
		for key, want := range map[string]string{"folded": "first\n  code\n\nlast", "block": "line\n"} {
			if got := w.kubectl("get", "configmap", "acme-"+appRtID, "--output", "go-template={{printf \"%q\" .data."+key+"}}"); got != fmt.Sprintf("%q", want) {
				t.Errorf("%s is %s, want %q", key, got, want)
			}
		}
	})
}

func TestAChartThatBringsTheKindOfItsOwnObjectsIsDeployed(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	w.env = []string{"KUBECONFIG=" + os.Getenv("KUBECONFIG")} // the chart's role may not create definitions
	w.start()
	w.deployPool()
	t.Cleanup(func() {
		w.kubectl("delete", "customresourcedefinition", "things.own-kind.example", "--ignore-not-found")
	})
	app := w.workload("Shop", appRtID)
	app.ChartName, app.ChartVersion = "own-kind", "1.0.0"
	if s := w.deploy(app); !s.Success {
		t.Error(s.StatusMessage)
	}
}

// helm template always renders revision 1. What helm upgrade renders for the second revision is only checked when helm sends it.
func TestAChartThatRendersSomethingElseForHelmIsRefusedWhenHelmSendsIt(t *testing.T) {
	withEachHelm(t, func(t *testing.T, w *world) {
		if s := w.deploy(w.rendering(harmless)); !s.Success {
			t.Fatal(s.StatusMessage)
		}
		before := w.objects()
		s := w.deploy(w.rendering(harmless + "\n---\n{{ if gt .Release.Revision 1 }}\n" + forged + "\n{{ end }}"))
		if first, _, _ := strings.Cut(s.StatusMessage, "\n"); s.Success || !strings.Contains(first, "Secret sh.helm.release.v1.victim.v99 ") {
			t.Errorf("reported %v: %s", s.Success, s.StatusMessage)
		}
		if !strings.Contains(s.StatusMessage, "rolled back to revision 1") {
			t.Errorf("it was not taken back: %s", s.StatusMessage)
		}
		if after := w.objects(); after != before {
			t.Errorf("before there was\n%s\nafter\n%s", before, after)
		}
	})
}

func TestWhatATemplateHasReadInTheClusterIsNeitherToldNorLogged(t *testing.T) {
	withEachHelm(t, func(t *testing.T, w *world) {
		w.kubectl("create", "secret", "generic", "victim-octo-secrets", "--from-literal=key="+victimsKey)
		w.deploy(w.rendering(harmless))
		for _, template := range []string{
			read,
			"{{ if gt .Release.Revision 1 }}" + read + "{{ end }}\n" + harmless, // only when helm upgrade renders it
			`a: {{ (index (lookup "v1" "Secret" .Release.Namespace "victim-octo-secrets").data "key") | b64dec }}: b`,
		} {
			s := w.deploy(w.rendering(template))
			first, _, _ := strings.Cut(s.StatusMessage, "\n")
			if s.Success || strings.Contains(s.StatusMessage, victimsKey) || !strings.HasPrefix(first, "a template of the chart fails, and its words are not repeated here: ") {
				t.Errorf("%s: reported %v: %s", template, s.Success, s.StatusMessage)
			}
		}
		s := w.deploy(w.rendering(`{{ fail "choose a or b" }}`))
		if !strings.Contains(s.StatusMessage, "refuses the values: choose a or b") {
			t.Errorf("what has nothing to do with the cluster is told: %s", s.StatusMessage)
		}
		if told := w.operator.text() + w.stateText(); strings.Contains(told, victimsKey) {
			t.Error("the victim's key is in the log or in the state directory")
		}
	})
}
