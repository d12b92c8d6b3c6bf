package release

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"octo-operator/kube"
)

func TestAnOpenChangeOfASecretIsReadFromItsAnnotation(t *testing.T) {
	owed := restarts{Keys: []string{"a"}, Workloads: map[string]string{"deployment/web": "h"}}
	for name, test := range map[string]struct {
		live *kube.Secret
		want restarts
		open bool
		err  string
	}{
		"no Secret":           {nil, restarts{}, false, ""},
		"no change":           {&kube.Secret{Name: "s"}, restarts{}, false, ""},
		"nobody to restart":   {&kube.Secret{Annotations: map[string]string{changeAnnotation: `{}`}}, restarts{}, true, ""},
		"somebody to restart": {&kube.Secret{Annotations: map[string]string{changeAnnotation: `{"keys":["a"],"workloads":{"deployment/web":"h"}}`}}, owed, true, ""},
		"edited by hand":      {&kube.Secret{Name: "s", Annotations: map[string]string{changeAnnotation: `x`}}, restarts{}, true, "remove it, and restart the pods"},
	} {
		got, open, err := openChange(test.live)
		if diff := cmp.Diff(test.want, got); diff != "" || open != test.open {
			t.Errorf("%s: open is %v, %s", name, open, diff)
		}
		if (err != nil) != (test.err != "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: got %v, want %q", name, err, test.err)
		}
	}
}

func TestASecretIsWrittenOnlyIfItIsNotWhatIsWanted(t *testing.T) {
	if got := (secretChange{name: "s"}).apply(); got != "" {
		t.Errorf("the script is told to apply %q", got)
	}
	if got := (secretChange{name: "s", writes: true}).apply(); got != "s" {
		t.Errorf("the script is told to apply %q", got)
	}
	has := map[string]string{"a": "1", "b": ""}
	for name, test := range map[string]struct {
		wants map[string]string
		holds bool
	}{
		"nothing":       {nil, true},
		"some":          {map[string]string{"b": ""}, true},
		"another value": {map[string]string{"a": "2"}, false},
		"a missing one": {map[string]string{"c": ""}, false},
	} {
		if got := holds(has, test.wants); got != test.holds {
			t.Errorf("%s: holds is %v", name, got)
		}
	}
}
