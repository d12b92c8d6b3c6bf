package kube

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// shopRules are the rules for release shop of tenant acme.
var shopRules = Rules{
	Release: "shop", Namespace: "octo", Group: "octo-mesh.meshmakers.io", Tenant: "acme",
	Endings: []string{"-octo-secrets", "-octo-secrets-before", "-octo-mesh-connection"},
	Own:     []string{"shop-octo-secrets", "acme-main-octo-mesh-connection"},
	Account: "octo-operator", Secrets: []string{"octo-operator-backend"},
}

// manifests are the files of a directory below testdata, by name.
func manifests(t testing.TB, dir string) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", dir, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatal("there are no manifests", err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		if all[strings.TrimSuffix(filepath.Base(file), ".yaml")], err = os.ReadFile(file); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestAManifestThatTouchesAnotherReleaseOrTheOperatorIsRefused(t *testing.T) {
	for name, manifest := range manifests(t, "refused") {
		t.Run(name, func(t *testing.T) {
			first, _, _ := strings.Cut(string(manifest), "\n")
			want, is := strings.CutPrefix(first, "# refused: ")
			if err := Look(manifest, shopRules); !is || err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want …%s…", err, want)
			}
		})
	}
}

func TestARefusalSaysWhatToDo(t *testing.T) {
	for name, manifest := range manifests(t, "refused") {
		err := Look(manifest, shopRules)
		if text := err.Error(); !strings.Contains(text, ": take it out of the chart or the values") && !strings.Contains(text, "give the chart's another name") &&
			!strings.Contains(text, ": correct the ") {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestAnOrdinaryManifestIsNotRefused(t *testing.T) {
	for name, manifest := range manifests(t, "fine") {
		if err := Look(manifest, shopRules); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhereTheOperatorRunsElsewhereItsNamesAreAnybodys(t *testing.T) {
	elsewhere := shopRules
	elsewhere.Account, elsewhere.Secrets = "", nil
	for name, manifest := range manifests(t, "refused") {
		if err := Look(manifest, elsewhere); strings.HasPrefix(name, "operator-account") || strings.HasPrefix(name, "operator-secret") {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// Aliases of aliases would expand to more than any memory holds.
func TestAManifestOfManyAliasesIsLookedAtWithinBounds(t *testing.T) {
	var laughs, wide bytes.Buffer
	laughs.WriteString("a0: &a0 [x]\n")
	for i := 1; i < 60; i++ {
		digit := func(n int) string { return "a" + string(rune('A'+n/10)) + string(rune('0'+n%10)) }
		before := digit(i - 1)
		if i == 1 {
			before = "a0"
		}
		laughs.WriteString(digit(i) + ": &" + digit(i) + " [" + strings.Repeat("*"+before+",", 9) + "]\n")
	}
	if err := Look(laughs.Bytes(), shopRules); err != nil {
		t.Error(err)
	}
	wide.WriteString("m: &m {" + strings.Repeat("a: b, ", 20_000) + "}\nitems:\n" + strings.Repeat("- {kind: Pod, metadata: *m}\n", 10_000))
	if err := Look(wide.Bytes(), shopRules); err == nil || !strings.Contains(err.Error(), "its aliases make it too large to read") {
		t.Errorf("got %v", err)
	}
	circle := "kind: Pod\nmetadata: &m {name: a, <<: *m, labels: *m}\nspec: &s [*s]\n"
	if err := Look([]byte(circle), shopRules); err != nil {
		t.Log(err) // the parser may refuse it: the test is that Look returns
	}
}

func TestWhatIsLookedAtIsWhatKubectlIsAskedAbout(t *testing.T) {
	const all = "---\n# Source: shop/crds/a.yaml\nkind: CustomResourceDefinition\nmetadata: {name: a}\n---\nkind: CustomResourceDefinition\nmetadata: {name: b}\n" +
		"---\n# Source: shop/templates/cm.yaml\nkind: ConfigMap\nmetadata: {name: c}\n---\n# Source: shop/templates/hook.yaml\nkind: Job\nmetadata: {name: d, annotations: {helm.sh/hook: test}}\n" +
		"---\n# Source: shop/templates/crd.yaml\nkind: CustomResourceDefinition\nmetadata: {name: e}"
	const want = "---\n# Source: shop/templates/cm.yaml\nkind: ConfigMap\nmetadata: {name: c}\n---\n# Source: shop/templates/crd.yaml\nkind: CustomResourceDefinition\nmetadata: {name: e}\n"
	if got, err := Applied([]byte(all)); err != nil || string(got) != want {
		t.Errorf("got %v\n%s", err, got)
	}
}

// FuzzLook compares Look with helm's own parser (sigs.k8s.io/yaml): what that parser finds in a manifest, Look must find too.
func FuzzLook(f *testing.F) {
	for _, dir := range []string{"refused", "fine"} {
		for _, manifest := range manifests(f, dir) {
			f.Add(manifest)
		}
	}
	f.Fuzz(func(t *testing.T, manifest []byte) {
		if len(manifest) > 16<<10 {
			return
		}
		err := Look(manifest, shopRules)
		var meant any
		if yaml.Unmarshal(manifest, &meant) != nil {
			return
		}
		if object, bad := mustNotBe(meant); bad && err == nil {
			t.Errorf("not refused: %v", object)
		}
		if refused := (*refusedError)(nil); errors.As(err, &refused) && strings.TrimSpace(refused.Object) == "" {
			t.Errorf("refused without a name: %v", err)
		}
	})
}

// mustNotBe tells whether a document, as helm reads it, must be refused.
func mustNotBe(value any) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		metadata, _ := v["metadata"].(map[string]any)
		name, _ := metadata["name"].(string)
		namespace, _ := metadata["namespace"].(string)
		if kind, is := v["kind"].(string); is && metadata != nil && (kind == "Secret" && strings.HasPrefix(name, "sh.helm.release.") || namespace != "" && namespace != "octo") {
			return v, true
		}
		for _, below := range v {
			if found, bad := mustNotBe(below); bad {
				return found, true
			}
		}
	case []any:
		for _, below := range v {
			if found, bad := mustNotBe(below); bad {
				return found, true
			}
		}
	case string:
		return v, v == "victim-octo-secrets"
	}
	return nil, false
}
