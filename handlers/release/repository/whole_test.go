package repository

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// compareWithWhole reads an index all at once, as helm does. If it can also be read in pieces, both must find the same charts.
func compareWithWhole(t *testing.T, text []byte, err error, charts map[string]bool) {
	t.Helper()
	if err != nil {
		return
	}
	var whole struct {
		APIVersion string                      `json:"apiVersion"`
		Entries    map[string][]map[string]any `json:"entries"`
	}
	unmarshal := func() error { return yaml.UnmarshalStrict(text, &whole) }
	if json.Valid(text) {
		unmarshal = func() error { return json.Unmarshal(text, &whole) }
	}
	if err := unmarshal(); err != nil {
		return // of an index that helm refuses: nothing of it can be had by other means
	}
	for _, chart := range slices.Sorted(maps.Keys(charts)) {
		if len(whole.Entries[chart]) == 0 {
			t.Errorf("chart %q was read, and all at once there is none: %s", chart, cmp.Diff(charts, whole.Entries))
		}
	}
	for chart, versions := range whole.Entries {
		for _, v := range versions {
			name, _ := field(v, "name").(string)
			version, _ := field(v, "version").(string)
			if name != "" && isVersion(version) && field(v, "type") == nil && !charts[chart] && !twice(v) {
				t.Errorf("chart %q was not read, and all at once it is there: %v", chart, v)
			}
		}
	}
}

// twice tells whether two keys of a version differ in upper and lower case alone. In JSON, the last one in the text counts.
func twice(version map[string]any) bool {
	for key := range version {
		for other := range version {
			if key != other && strings.EqualFold(key, other) {
				return true
			}
		}
	}
	return false
}

func TestAnIndexInCapitalsIsReadAllAtOnce(t *testing.T) {
	got := []Entry{}
	text := "APIVERSION: v1\nENTRIES:\n  app:\n" + strings.Replace(block(app1, 2), "name", "Name", 1)
	if err := readWhole(strings.NewReader(text), func(e Entry) error { got = append(got, e); return nil }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Entry{app1}, got); diff != "" {
		t.Error(diff)
	}
}
