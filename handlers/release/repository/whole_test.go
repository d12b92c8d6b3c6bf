package repository

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// helmsIndex and what is in it have the fields of helm's own types, IndexFile, ChartVersion, Metadata and what these hold: helm refuses an
// index of YAML with a field that it does not know, or one of another type.
type helmsIndex struct {
	ServerInfo  map[string]any           `json:"serverInfo"`
	APIVersion  string                   `json:"apiVersion"`
	Generated   time.Time                `json:"generated"`
	Entries     map[string][]*helmsEntry `json:"entries"`
	PublicKeys  []string                 `json:"publicKeys"`
	Annotations map[string]string        `json:"annotations"`
}

type helmsEntry struct {
	*HelmsMetadata
	URLs          []string  `json:"urls"`
	Created       time.Time `json:"created"`
	Removed       bool      `json:"removed"`
	Digest        string    `json:"digest"`
	Checksum      string    `json:"checksum"`
	Engine        string    `json:"engine"`
	TillerVersion string    `json:"tillerVersion"`
	URL           string    `json:"url"`
}

// HelmsMetadata is exported because encoding/json fills no embedded pointer to what is not.
type HelmsMetadata struct {
	Name         string             `json:"name"`
	Home         string             `json:"home"`
	Sources      []string           `json:"sources"`
	Version      string             `json:"version"`
	Description  string             `json:"description"`
	Keywords     []string           `json:"keywords"`
	Maintainers  []*helmsMaintainer `json:"maintainers"`
	Icon         string             `json:"icon"`
	APIVersion   string             `json:"apiVersion"`
	Condition    string             `json:"condition"`
	Tags         string             `json:"tags"`
	AppVersion   string             `json:"appVersion"`
	Deprecated   bool               `json:"deprecated"`
	Annotations  map[string]string  `json:"annotations"`
	KubeVersion  string             `json:"kubeVersion"`
	Dependencies []*helmsDependency `json:"dependencies"`
	Type         string             `json:"type"`
}

type helmsMaintainer struct {
	Name  string `json:"name"`
	Email string `json:"email"`
	URL   string `json:"url"`
}

type helmsDependency struct {
	Name         string   `json:"name"`
	Version      string   `json:"version"`
	Repository   string   `json:"repository"`
	Condition    string   `json:"condition"`
	Tags         []string `json:"tags"`
	Enabled      bool     `json:"enabled"`
	ImportValues []any    `json:"import-values"`
	Alias        string   `json:"alias"`
}

// helmsReading is what helm finds in an index: the versions that it accepts, and those that it leaves out for reasons that this package
// does not check. false: it refuses the index.
func helmsReading(text []byte) (taken, others []Entry, ok bool) {
	var index helmsIndex
	unmarshal := func() error { return yaml.UnmarshalStrict(text, &index) }
	if json.Valid(text) {
		unmarshal = func() error { return json.Unmarshal(text, &index) }
	}
	if err := unmarshal(); err != nil || index.APIVersion == "" {
		return nil, nil, false
	}
	for chart, versions := range index.Entries {
		for _, v := range versions {
			if v == nil || v.HelmsMetadata == nil || v.Name == "" || !isVersion(v.Version) || !slices.Contains([]string{"", "application", "library"}, v.Type) {
				continue
			}
			e := Entry{Chart: chart, Version: v.Version, Digest: digestOf(v.Digest)}
			if len(v.URLs) > 0 {
				e.URL = v.URLs[0]
			}
			if v.Name == "." || v.Name == ".." || v.Name != filepath.Base(v.Name) || slices.Contains(v.Maintainers, nil) || len(v.Dependencies) > 0 {
				others = append(others, e)
			} else {
				taken = append(taken, e)
			}
		}
	}
	return taken, others, true
}

// wantAsHelm compares what was read of an index with what helm finds in it.
func wantAsHelm(t *testing.T, how string, text []byte, got []Entry) {
	t.Helper()
	taken, others, ok := helmsReading(text)
	if !ok {
		return // helm refuses the index
	}
	for _, e := range taken {
		if !slices.Contains(got, e) {
			t.Errorf("%s, %+v was not read, and helm finds it; read were %+v", how, e, got)
		}
	}
	for _, e := range got {
		if !slices.Contains(taken, e) && !slices.Contains(others, e) {
			t.Errorf("%s, %+v was read, and helm finds %+v", how, e, taken)
		}
	}
}

func TestAnIndexIsReadAllAtOnceAsHelmReadsIt(t *testing.T) {
	for _, test := range indexes {
		t.Run(test.name, func(t *testing.T) {
			got := []Entry{}
			err := readWhole(strings.NewReader(test.text), func(e Entry) error { got = append(got, e); return nil })
			if err == nil {
				wantAsHelm(t, "all at once", []byte(test.text), got)
			} else if taken, _, ok := helmsReading([]byte(test.text)); ok && len(taken) > 0 {
				t.Errorf("%v, and helm finds %+v", err, taken)
			}
		})
	}
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
