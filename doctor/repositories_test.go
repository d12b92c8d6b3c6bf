package doctor

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"octo-operator/hub"
)

func deployFrom(repositoryURL string) hub.WorkloadDeployed {
	w := hub.WorkloadDeployed{RepositoryURL: repositoryURL, ChartName: "shop"}
	w.TenantID, w.WorkloadRtID = "acme", "65d5c447b420da3fb12381bc"
	return w
}

func TestTheRepositoriesOfTheLastDeploysAreAskedWithoutCredentials(t *testing.T) {
	index := func(w http.ResponseWriter, request *http.Request) {
		if request.Header.Get("Authorization") != "" {
			t.Errorf("credentials were sent: %s", request.Header.Get("Authorization"))
		}
		fmt.Fprint(w, "apiVersion: v1\nentries:\n  other: [{name: other, version: 1.0.0, urls: [other.tgz]}]\n")
	}
	open := serve(t, index)
	closed := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	broken := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>: not: yaml") })
	away := nobody(t)
	r := newRig(t)
	r.hasRun(deployFrom("http://"+open+"/old"), deployFrom("http://"+open+"/old"), deployFrom("http://"+away), deployFrom("http://"+broken),
		deployFrom("http://"+closed), deployFrom("http://user:planted-password@"+open+"?token=planted-password"))
	all := r.looks("repositories")
	r.want(all, OK, "repository http://"+open+":", "its index can be read")
	r.want(all, OK, "repository http://"+open+"/old", "its index can be read")
	r.want(all, OK, closed, "wants credentials", "401 Unauthorized")
	r.want(all, Warn, broken, "look whether the repository runs")
	r.want(all, Warn, away, "connection refused")
	if len(all) != mostRepositories || strings.Contains(show(all), "planted-password") {
		t.Error(show(all))
	}
}

func TestARepositoryIsAskedByTheRulesOfTheSettingsAlone(t *testing.T) {
	asked := false
	address := serve(t, func(http.ResponseWriter, *http.Request) { asked = true })
	r := newRig(t, "OPERATOR__ALLOWEDREPOSITORIES=https://charts.example.com")
	r.hasRun(deployFrom("http://" + address))
	r.want(r.looks("repositories"), Warn, "the settings do not allow it", "OPERATOR__ALLOWEDREPOSITORIES")
	r = newRig(t, "OPERATOR__ALLOWEDREPOSITORYADDRESSES=192.0.2.0/24")
	r.hasRun(deployFrom("http://" + address))
	r.want(r.looks("repositories"), Warn, "the settings do not allow it", "the operator's own machine")
	if asked {
		t.Error("it was asked")
	}
}

func TestARegistryIsAskedWhetherItIsOne(t *testing.T) {
	for code, mark := range map[int]Mark{200: OK, 401: OK, 500: Warn, 404: Warn} {
		address := serve(t, func(w http.ResponseWriter, request *http.Request) {
			if request.URL.Path != "/v2/" {
				t.Errorf("asked for %s", request.URL.Path)
			}
			w.WriteHeader(code)
		})
		r := newRig(t, "OPERATOR__HELM__PLAINHTTP=true")
		r.hasRun(deployFrom("oci://" + address + "/charts"))
		r.want(r.looks("repositories"), mark, "repository oci://"+address+"/charts")
	}
}

func TestARepositoryThatHangsHarmsNoOther(t *testing.T) {
	good := serve(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "apiVersion: v1\nentries: {}\n") })
	r := newRig(t)
	hanging := deaf(t)
	r.hasRun(deployFrom("http://"+good), deployFrom("http://"+hanging), deployFrom("oci://"+hanging))
	r.Settings.Helm.PlainHTTP = true
	r.limit = checkTime // long enough for the good one on a busy machine
	all := r.looks("repositories")
	r.want(all, Warn, "http://"+hanging, "no answer within")
	r.want(all, Warn, "oci://"+hanging, "no answer within")
	r.want(all, OK, good)
}

func TestWithoutDeploysThereIsNoRepositoryToAsk(t *testing.T) {
	r := newRig(t)
	r.want(r.looks("repositories"), Skip, "no deploy has a run directory here")
}
