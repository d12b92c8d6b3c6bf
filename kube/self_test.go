package kube

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// tokenOf returns a service account's token, as Kubernetes mounts it.
func tokenOf(claims string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

const (
	podsToken = `{"kubernetes.io":{"namespace":"octo","pod":{"name":"octo-operator-1"},"serviceaccount":{"name":"octo-operator"}}}`
	itsPod    = `{"spec":{"imagePullSecrets":[{"name":"regcred"}],"initContainers":[{"envFrom":[{"secretRef":{"name":"init"}}]}],
		"containers":[{"env":[{"name":"A","value":"b"},{"name":"B","valueFrom":{"secretKeyRef":{"name":"backend"}}}],"envFrom":[{"secretRef":{"name":"regcred"}}]}],
		"volumes":[{"secret":{"secretName":"certificate"}},{"projected":{"sources":[{"secret":{"name":"ca"}},{"serviceAccountToken":{"path":"token"}}]}},{"emptyDir":{}}]}}`
)

func TestTheOperatorFindsOutWhichAccountAndSecretsAreItsOwn(t *testing.T) {
	account := Self{Namespace: "octo", ServiceAccount: "octo-operator"}
	whole := account
	whole.Secrets = []string{"backend", "ca", "certificate", "init"}
	for _, test := range []struct {
		name, token string
		code        int // of the answer to the request for its pod
		want        Self
	}{
		{"in its pod", tokenOf(podsToken), http.StatusOK, whole},
		{"that it may not read", tokenOf(podsToken), http.StatusForbidden, account},
		{"that the API server does not know", tokenOf(podsToken), http.StatusNotFound, account},
		{"with a token of no pod", tokenOf(`{"kubernetes.io":{"namespace":"octo","serviceaccount":{"name":"octo-operator"}}}`), http.StatusTeapot, account},
		{"with a token of another form", "abc", http.StatusTeapot, Self{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newPodPlace(t)
			p.write(t, "token", test.token)
			asked := 0
			p.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				if r.URL.Path != "/api/v1/namespaces/octo/pods/octo-operator-1" {
					t.Errorf("asked for %s", r.URL)
				}
				w.WriteHeader(test.code)
				fmt.Fprint(w, itsPod)
			})
			k := p.kubectl(t)
			for range 2 {
				got, err := k.Self(testContext(t))
				if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
					t.Error(err, diff)
				}
			}
			if asked > 1 {
				t.Errorf("asked %d times", asked)
			}
		})
	}
}

func TestWhatCannotBeAskedForNowIsAskedForAgain(t *testing.T) {
	p := newPodPlace(t)
	p.write(t, "token", tokenOf(podsToken))
	away := true
	p.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if away {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, itsPod)
	})
	k := p.kubectl(t)
	if _, err := k.Self(testContext(t)); err == nil {
		t.Error("no error")
	}
	away = false
	if got, err := k.Self(testContext(t)); err != nil || len(got.Secrets) != 4 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestElsewhereThanInAPodNothingIsTheOperatorsOwn(t *testing.T) {
	p := newPodPlace(t)
	k := p.kubectl(t, "KUBECONFIG=/somewhere")
	if got, err := k.Self(testContext(t)); err != nil || !cmp.Equal(got, Self{}) {
		t.Errorf("got %v, %v", got, err)
	}
}
