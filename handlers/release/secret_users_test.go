package release

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestAPodTemplateUsesAKeyInWhateverWayItReferencesTheSecret(t *testing.T) {
	for name, test := range map[string]struct {
		spec string
		want []string
	}{
		"nothing":                      {`{"containers":[{"name":"app"}]}`, nil},
		"a variable":                   {`{"containers":[{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"own","key":"a"}}}]}]}`, []string{"a"}},
		"a variable of a second one":   {`{"containers":[{},{"env":[{"name":"X","value":"x"},{"name":"B","valueFrom":{"secretKeyRef":{"name":"own","key":"b"}}}]}]}`, []string{"b"}},
		"a variable of an init one":    {`{"initContainers":[{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"own","key":"a"}}}]}]}`, []string{"a"}},
		"an ephemeral container's":     {`{"ephemeralContainers":[{"envFrom":[{"secretRef":{"name":"own"}}]}]}`, []string{"a", "b"}},
		"a key that has not changed":   {`{"containers":[{"env":[{"name":"C","valueFrom":{"secretKeyRef":{"name":"own","key":"c"}}}]}]}`, nil},
		"a variable of another Secret": {`{"containers":[{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"other","key":"a"}}}]}]}`, nil},
		"a variable of a config map":   {`{"containers":[{"env":[{"name":"A","valueFrom":{"configMapKeyRef":{"name":"own","key":"a"}}}],"envFrom":[{"configMapRef":{"name":"own"}}]}]}`, nil},
		"all as variables":             {`{"containers":[{"envFrom":[{"prefix":"X_","secretRef":{"name":"own"}}]}]}`, []string{"a", "b"}},
		"a volume":                     {`{"volumes":[{"name":"v","secret":{"secretName":"own"}}]}`, []string{"a", "b"}},
		"one key as a volume":          {`{"volumes":[{"name":"v","secret":{"secretName":"own","items":[{"key":"b","path":"a"}]}}]}`, []string{"b"}},
		"another Secret's volume":      {`{"volumes":[{"name":"own","secret":{"secretName":"other"}},{"name":"v","configMap":{"name":"own"}}]}`, nil},
		"a projected volume":           {`{"volumes":[{"name":"v","projected":{"sources":[{"configMap":{"name":"x"}},{"secret":{"name":"own"}}]}}]}`, []string{"a", "b"}},
		"one key, projected":           {`{"volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"own","items":[{"key":"a","path":"x"}]}}]}}]}`, []string{"a"}},
		"a pull secret":                {`{"imagePullSecrets":[{"name":"own"}]}`, nil},
	} {
		got, err := usedKeys(json.RawMessage(`{"metadata":{"labels":{"own":"a"}},"spec":`+test.spec+`}`), "own", []string{"a", "b"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(test.want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestPodTemplatesAreTheSameUnlessOneGetsNewPods(t *testing.T) {
	const template = `{"metadata":{"creationTimestamp":null,"labels":{"a":"1","b":"2"}},"spec":{"containers":[{"name":"app","image":"x"}]}}`
	for name, test := range map[string]struct {
		other string
		same  bool
	}{
		"another order":    {`{"spec":{"containers":[{"image":"x","name":"app"}]},"metadata":{"labels":{"b":"2","a":"1"}}}`, true},
		"another image":    {`{"metadata":{"labels":{"a":"1","b":"2"}},"spec":{"containers":[{"name":"app","image":"y"}]}}`, false},
		"another label":    {`{"metadata":{"labels":{"a":"1","b":"3"}},"spec":{"containers":[{"name":"app","image":"x"}]}}`, false},
		"a restart's mark": {`{"metadata":{"annotations":{"kubectl.kubernetes.io/restartedAt":"t"},"labels":{"a":"1","b":"2"}},"spec":{"containers":[{"name":"app","image":"x"}]}}`, false},
	} {
		if got := templateHash(json.RawMessage(template)) == templateHash(json.RawMessage(test.other)); got != test.same {
			t.Errorf("%s: the same is %v", name, got)
		}
	}
}

func TestAKeyHasChangedIfItsValueIsAnotherOrOnlyOneHasIt(t *testing.T) {
	data := func(pairs ...string) map[string][]byte {
		m := map[string][]byte{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = []byte(pairs[i+1])
		}
		return m
	}
	got := changedKeys(data("same", "1", "other", "1", "gone", "", "z", ""), data("same", "1", "other", "2", "new", "", "z", ""))
	if diff := cmp.Diff([]string{"gone", "new", "other"}, got); diff != "" {
		t.Error(diff)
	}
}
