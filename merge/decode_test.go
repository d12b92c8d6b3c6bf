package merge

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type chartFile struct {
	Name     string   `json:"name"`
	Version  string   `json:"version"`
	Keywords []string `json:"keywords"`
}

func TestAFileOfHelmsIsReadAsHelmReadsIt(t *testing.T) {
	for text, want := range map[string]chartFile{
		"name: a\nversion: 1.10\n":              {Name: "a", Version: "1.1"},
		"NAME: a\nVer\u017fion: 1.0.0\n":        {Name: "a", Version: "1.0.0"},
		"name: on\nkeywords: [1, yes, x]\n":     {Name: "true", Keywords: []string{"1", "true", "x"}},
		"version: 2\nversion: 3":                {Version: "3"},
		"VERSION: 2\nversion: 3":                {Version: "3"},
		"VERSION: 2\nversion: null":             {Version: "2"},
		"name: a\n---\nname: b\n":               {Name: "a"},
		"%YAML 1.1\n---\nname: a\n":             {Name: "a"},
		"name: &x a\nversion: *x\nother: {}":    {Name: "a", Version: "a"},
		`{"name":"a","Keywords":["b"],"x":[1]}`: {Name: "a", Keywords: []string{"b"}},
		"":                                      {},
	} {
		var got chartFile
		if err := Decode("Chart.yaml", []byte(text), &got); err != nil {
			t.Errorf("%q: %v", text, err)
		} else if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestAFileOfHelmsThatCannotBeReadSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		"version: [planted]":         "a list does not fit in its field version",
		"keywords: planted":          "a text does not fit in its field keywords",
		"keywords: [{a: b}]":         "a map does not fit in its field keywords",
		"- planted":                  "values must be a map, line 1 column 1 has a list",
		"name: [planted":             "line 1: did not find expected ',' or ']'",
		"name: .nan\nother: 1":       "",
		"other: .nan":                ".nan and .inf are not possible in values",
		aliasBomb():                  "its aliases expand to more than",
		strings.Repeat("- ", 60_000): "the limit is 50000",
	} {
		err := Decode("Chart.yaml", []byte(text), &chartFile{})
		if (err == nil) != (want == "") || err != nil && (!strings.HasPrefix(err.Error(), "cannot read Chart.yaml: ") || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "planted")) {
			t.Errorf("%.40q: got %v, want %s", text, err, want)
		}
	}
}
