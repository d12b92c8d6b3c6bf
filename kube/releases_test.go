package kube

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// secret returns one of Helm's Secrets, with its labels as kubectl prints them.
func secret(labels string) Metadata {
	m := Metadata{Labels: map[string]string{}}
	for pair := range strings.SplitSeq(labels, ",") {
		key, value, _ := strings.Cut(pair, "=")
		m.Labels[key] = value
	}
	return m
}

func TestNewestRevisions(t *testing.T) {
	for _, test := range []struct {
		name    string
		secrets []Metadata
		want    map[string]string // of release demo
	}{
		{"none", nil, nil},
		{"no labels", []Metadata{{}}, nil},
		{"one", []Metadata{secret("name=demo,owner=helm,status=deployed,version=1")},
			map[string]string{"name": "demo", "owner": "helm", "status": "deployed", "version": "1"}},
		{"the highest revision, by number", []Metadata{secret("name=demo,version=9"), secret("name=demo,version=10"), secret("name=demo,version=2")},
			map[string]string{"name": "demo", "version": "10"}},
		{"each release its own", []Metadata{secret("name=demo,version=1"), secret("name=other,version=5")},
			map[string]string{"name": "demo", "version": "1"}},
		{"one whose version is no number is older than any", []Metadata{secret("name=demo,version=x"), secret("name=demo,version=1")},
			map[string]string{"name": "demo", "version": "1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, newestRevisions(test.secrets)["demo"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
