package kube

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNewestRevisions(t *testing.T) {
	const row = "sh.helm.release.v1.x.v1   helm.sh/release.v1   1     3d   "
	for _, test := range []struct {
		name, table string
		want        map[string]string // of release demo
	}{
		{"none", "", nil},
		{"an empty line", "\n", nil},
		{"no labels", "sh.helm.release.v1.demo.v1   helm.sh/release.v1   1   3d   <none>\n", nil},
		{"one", row + "name=demo,owner=helm,status=deployed,version=1\n",
			map[string]string{"name": "demo", "owner": "helm", "status": "deployed", "version": "1"}},
		{"the highest revision, by number", row + "name=demo,version=9\n" + row + "name=demo,version=10\n" + row + "name=demo,version=2\n",
			map[string]string{"name": "demo", "version": "10"}},
		{"each release its own", row + "name=demo,version=1\n" + row + "name=other,version=5\n", map[string]string{"name": "demo", "version": "1"}},
		{"labels with dots, slashes and an empty value", row + "name=demo,octo-mesh.meshmakers.io/tenant=acme,x=,version=1\n",
			map[string]string{"name": "demo", "octo-mesh.meshmakers.io/tenant": "acme", "x": "", "version": "1"}},
		{"no newline at the end", row + "name=demo,version=3", map[string]string{"name": "demo", "version": "3"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, newestRevisions(test.table)["demo"]); diff != "" {
				t.Error(diff)
			}
		})
	}
}
