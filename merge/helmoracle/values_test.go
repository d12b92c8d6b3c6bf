// Package helmoracle compares octo-operator/merge with Helm's own code. It is a separate module, so that Helm is no dependency of the operator.
package helmoracle

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	helmvalues "helm.sh/helm/v4/pkg/cli/values"
	"helm.sh/helm/v4/pkg/engine"
	"helm.sh/helm/v4/pkg/getter"

	"octo-operator/merge"
)

const (
	pairs         = 5000
	fewestPairs   = 2000 // pairs that both accept; below this the test proves too little
	fewestRefused = 100  // pairs that both refuse
)

// TestDocumentIsWhatHelmMakesOfTwoFiles checks that the values from two documents are those of helm -f a -f b, that helm reads the same values from
// our document, and that a template renders both to the same text.
func TestDocumentIsWhatHelmMakesOfTwoFiles(t *testing.T) {
	dir := t.TempDir()
	compared, refused, negativeZeros := 0, 0, 0
	for seed := range uint64(pairs) {
		g := newGenerator(seed)
		a, b := g.document(), g.document()

		want, helmErr := helmMerge(dir, a, b)
		got, err := ourMerge(a, b)
		if (helmErr == nil) != (err == nil) {
			t.Errorf("seed %d: helm says %v, we say %v\n--- a\n%s\n--- b\n%s", seed, helmErr, err, a, b)
			continue
		}
		if err != nil {
			refused++
			continue
		}
		compared++
		if diff := cmp.Diff(exact(want), exact(got.Values)); diff != "" {
			t.Errorf("seed %d: values differ (-helm +ours):\n%s\n--- a\n%s\n--- b\n%s", seed, diff, a, b)
			continue
		}

		readBack, err := helmMerge(dir, string(got.YAML))
		if err != nil {
			t.Errorf("seed %d: helm cannot read our document: %v\n%s", seed, err, got.YAML)
			continue
		}
		// EXCEPTION negative zero: sigs.k8s.io/yaml writes -0.0 as -0, which YAML reads as the integer 0. Helm's own
		// toYaml does the same. In a template -0 becomes 0.
		if n := clearNegativeZeros(want); n > 0 {
			negativeZeros++
		}
		if diff := cmp.Diff(exact(want), exact(readBack)); diff != "" {
			t.Errorf("seed %d: helm reads something else from our document (-helm +ours):\n%s\n%s", seed, diff, got.YAML)
			continue
		}
		if theirs, ours := render(t, want), render(t, readBack); theirs != ours {
			t.Errorf("seed %d: rendered differently:\n%s", seed, cmp.Diff(theirs, ours))
		}
	}
	t.Logf("compared %d pairs of documents with helm (%d of them with the exception for negative zero); both refuse %d more", compared, negativeZeros, refused)
	if compared < fewestPairs || refused < fewestRefused {
		t.Errorf("only %d pairs compared and %d refused, need %d and %d", compared, refused, fewestPairs, fewestRefused)
	}
}

// TestExplainNamesTheDocumentThatHasTheValue checks that each leaf of the merged values has exactly one origin, with its value, and that the document
// which it names has that value there.
func TestExplainNamesTheDocumentThatHasTheValue(t *testing.T) {
	explained := 0
	for seed := range uint64(pairs) {
		g := newGenerator(seed)
		a, b := g.document(), g.document()
		merged, err := ourMerge(a, b)
		if err != nil {
			continue
		}
		lower, _ := merge.Parse("a.yaml", []byte(a))
		upper, _ := merge.Parse("b.yaml", []byte(b))
		origins, _, err := merge.Explain(merge.Input{Context: lower, Values: []byte(b)})
		if err != nil {
			t.Errorf("seed %d: %v", seed, err)
			continue
		}
		leaves := leavesOf(merged.Values)
		if len(origins) != len(leaves) {
			t.Errorf("seed %d: %d origins of %d leaves", seed, len(origins), len(leaves))
		}
		layers := map[string]map[string]any{"context": leavesOf(lower), "valuesYaml": leavesOf(upper)}
		for _, o := range origins {
			explained++
			value, there := leaves[o.Path]
			has, inLayer := layers[o.Layer][o.Path]
			if !there || !inLayer || !cmp.Equal(value, o.Value) || !cmp.Equal(has, o.Value) {
				t.Errorf("seed %d: %s is %v, explained as %v of %s, which has %v\n--- a\n%s\n--- b\n%s", seed, o.Path, value, o.Value, o.Layer, has, a, b)
			}
			delete(leaves, o.Path)
		}
	}
	t.Logf("explained %d leaves", explained)
	if explained < 10*fewestPairs {
		t.Errorf("only %d leaves explained", explained)
	}
}

// leavesOf returns the leaves of values by their paths: all but maps and lists that are not empty.
func leavesOf(values map[string]any) map[string]any {
	leaves := map[string]any{}
	var walk func(path merge.Path, v any)
	walk = func(path merge.Path, v any) {
		inside := false
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				walk(append(path[:len(path):len(path)], merge.Step{Name: key}), child)
			}
			inside = len(v) > 0
		case []any:
			for i, child := range v {
				walk(append(path[:len(path):len(path)], merge.Step{Index: i, InList: true}), child)
			}
			inside = len(v) > 0
		}
		if !inside && len(path) > 0 {
			leaves[path.String()] = v
		}
	}
	walk(nil, values)
	return leaves
}

// helmMerge returns the values that helm makes of the documents, each given with -f.
func helmMerge(dir string, docs ...string) (map[string]any, error) {
	var options helmvalues.Options
	for i, doc := range docs {
		file := filepath.Join(dir, fmt.Sprintf("%d.yaml", i))
		if err := os.WriteFile(file, []byte(doc), 0o600); err != nil {
			return nil, err
		}
		options.ValueFiles = append(options.ValueFiles, file)
	}
	return options.MergeValues(getter.Providers{})
}

// ourMerge takes the first document as the lowest layer.
func ourMerge(a, b string) (merge.Result, error) {
	lower, err := merge.Parse("a.yaml", []byte(a))
	if err != nil {
		return merge.Result{}, err
	}
	return merge.Document(merge.Input{Context: lower, Values: []byte(b)})
}

// exact makes helm's float64 and our json.Number comparable without losing a bit: 30000000 and 3e+07 are the same
// number, 0 and -0 are not.
func exact(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[key] = exact(child)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = exact(child)
		}
		return out
	case json.Number:
		f, err := v.Float64()
		if err != nil {
			return fmt.Sprintf("not a number: %s", v)
		}
		return exact(f)
	case float64:
		return fmt.Sprintf("number %v (%016x)", v, math.Float64bits(v))
	}
	return v
}

// clearNegativeZeros replaces -0 by 0 in v, and counts.
func clearNegativeZeros(v any) int {
	count := 0
	clearAt := func(child any, set func(any)) {
		if f, ok := child.(float64); ok && f == 0 && math.Signbit(f) {
			set(0.0)
			count++
		} else {
			count += clearNegativeZeros(child)
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			clearAt(child, func(zero any) { v[key] = zero })
		}
	case []any:
		for i, child := range v {
			clearAt(child, func(zero any) { v[i] = zero })
		}
	}
	return count
}

// render prints the values in three ways that charts use: as text, as YAML and as JSON.
func render(t *testing.T, values map[string]any) string {
	t.Helper()
	c := &chart.Chart{
		Metadata:  &chart.Metadata{Name: "oracle", Version: "1.0.0", APIVersion: "v2"},
		Templates: []*common.File{{Name: "templates/all", Data: []byte("{{ .Values }}\n{{ toYaml .Values }}\n{{ toJson .Values }}")}},
	}
	out, err := engine.Engine{}.RenderWithContext(context.Background(), c, common.Values{"Values": values})
	if err != nil {
		t.Fatal(err)
	}
	return out["oracle/templates/all"]
}
