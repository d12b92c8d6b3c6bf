package e2e

import (
	"net/http"
	"net/http/httptest"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/yaml"

	"octo-operator/dev/devcontroller"
)

// schemaServer answers every request with a schema that allows everything, and records the requests.
type schemaServer struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

func newSchemaServer(t *testing.T) *schemaServer {
	s := &schemaServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.asked = append(s.asked, r.URL.String())
		_, _ = w.Write([]byte("{}"))
	}))
	t.Cleanup(s.Close)
	return s
}

// requests returns the requests since the last call.
func (s *schemaServer) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// The operator refuses references because of what helm does with them. This test runs both helms, without an operator, and shows that
// they do so.
func TestHelmReadsWhatASchemaRefersToAsTheOperatorThinks(t *testing.T) {
	text, err := os.ReadFile("../../handlers/release/charts/testdata/schema-references.yaml")
	if err != nil {
		t.Fatal(err)
	}
	s := newSchemaServer(t)
	var cases []struct{ Name, Schema, Helm, Refused string }
	if err := yaml.UnmarshalStrict([]byte(strings.ReplaceAll(string(text), "HOST", strings.TrimPrefix(s.URL, "http://"))), &cases); err != nil {
		t.Fatal(err)
	}
	chart := filepath.Join(t.TempDir(), "app")
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(chart, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(chart, 0o700); err != nil {
		t.Fatal(err)
	}
	write("Chart.yaml", "apiVersion: v2\nname: app\nversion: 1.0.0\n")
	for _, helm := range []string{"helm", os.Getenv("OCTO_HELM3")} {
		for _, test := range cases {
			write("values.schema.json", test.Schema)
			words, _ := osexec.Command(helm, "template", "app", chart).CombinedOutput() // it may fail
			does := "does not"
			if len(s.requests()) > 0 {
				does = "asks"
			} else if strings.Contains(string(words), "open /") {
				does = "reads"
			}
			if does != test.Helm {
				t.Errorf("%s: %s %s, not %s: %s", test.Name, helm, does, test.Helm, words)
			}
		}
	}
}

func TestHelmAsksNobodyForASchemaButWhomTheSettingNames(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	named, other := newSchemaServer(t), newSchemaServer(t)
	w.env = append(w.env, "OPERATOR__ALLOWEDSCHEMAS__0="+named.URL+"/team")
	w.start()
	w.deployPool()
	s := newShelves(w, nil)
	s.offers("", "1.0.0", "demo-app-1.0.0.tgz", "")
	app := w.workload("schemas", appRtID)
	app.RepositoryURL, app.ChartVersion = s.URL, "1.0.0"
	for _, test := range []struct {
		file, reference string
		want            string // words of the error; "": it is deployed
	}{
		{"values.schema.json", other.URL + "/a.json", other.URL + `/a.json", where helm would ask by itself`},
		{"charts/sub/values.schema.json", other.URL + "/a.json", "its charts/sub/values.schema.json refers with $ref to"},
		{"values.schema.json", named.URL + "/teams/a.json", "OPERATOR__ALLOWEDSCHEMAS"},
		{"values.schema.json", "definitions.json", "which is no document that helm may read"},
		{"values.schema.json", named.URL + "/team/a.json", ""},
		{"charts/sub/values.schema.json", named.URL + "/team/a.json", ""},
	} {
		s.archive = hostileArchive(t, map[string]string{
			"Chart.yaml":            "apiVersion: v2\nname: demo-app\nversion: 1.0.0\n",
			test.file:               `{"$ref":"` + test.reference + `"}`,
			"charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 1.0.0\n",
			"templates/a.yaml":      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: '{{ .Release.Name }}'}\n",
		})
		got := w.deploy(app)
		if got.Success != (test.want == "") || !strings.Contains(got.StatusMessage, test.want) {
			t.Errorf("%s to %s: %q, want %q", test.file, test.reference, got.StatusMessage, test.want)
		}
		if asked := named.requests(); (len(asked) > 0) != (test.want == "") {
			t.Errorf("%s to %s: asked was %q", test.file, test.reference, asked)
		}
	}
	if asked := other.requests(); len(asked) > 0 {
		t.Errorf("asked was %q", asked)
	}
}
