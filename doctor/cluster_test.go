package doctor

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"octo-operator/dispatch/journal"
)

// answers replaces an answer of the API server.
type answers map[string]http.HandlerFunc

func TestWhatIsWrongInTheClusterIsNamedWithWhatToDo(t *testing.T) {
	const octo, group = "/api/v1/namespaces/octo", "/apis/octo-mesh.meshmakers.io"
	for _, test := range []struct {
		name, check string
		environ     []string
		answers     answers
		mark        Mark
		words       []string
	}{
		{"it answers", "cluster", nil, nil, OK, []string{"reached as kubectl's current context has it; v1.37.2"}},
		{"an old one", "cluster", nil, answers{"/version": says(`{"gitVersion": "v1.28.1+k3s1"}`)}, Warn, []string{"v1.28.1+k3s1 is older than 1.30.0", "upgrade the cluster"}},
		{"one that kubectl does not fit", "cluster", nil, answers{"/version": says(`{"gitVersion": "v1.33.0"}`)}, Warn, []string{"kubectl is v1.37.2"}},
		{"not ready", "cluster", nil, answers{"/readyz": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "[-]etcd failed", http.StatusInternalServerError)
		}}, Warn, []string{"is not ready", "[-]etcd failed"}},
		{"a token that is not accepted", "cluster", nil, answers{"/version": status(401)}, Fail, []string{"credentials are not accepted"}},

		{"in time", "clock", nil, nil, OK, []string{"within 5s"}},
		{"somewhat apart", "clock", nil, answers{"/version": dated(-20 * time.Second)}, Warn, []string{"ahead of the API server's", "NTP"}},
		{"far apart", "clock", nil, answers{"/version": dated(time.Hour)}, Fail, []string{"behind the API server's"}},
		{"refused", "clock", nil, answers{"/version": status(403)}, Warn, []string{"cannot ask"}},

		{"there", "namespaces", nil, nil, OK, []string{"namespace octo: exists, for pools and releases"}},
		{"the platform's", "namespaces", []string{"OPERATOR__PLATFORMNAMESPACE=platform"}, answers{"/api/v1/namespaces/platform": says(`{}`)}, OK, []string{"namespace platform", "adapter pools"}},
		{"not there", "namespaces", nil, answers{octo: status(404)}, Fail, []string{"namespace octo: does not exist", "kubectl create namespace octo"}},
		{"one to watch", "namespaces", []string{"OPERATOR__WATCHNAMESPACE=elsewhere"}, nil, Fail, []string{"namespace elsewhere: does not exist"}},
		{"going", "namespaces", nil, answers{octo: says(`{"status": {"phase": "Terminating"}}`)}, Fail, []string{"is being deleted"}},
		{"hidden", "namespaces", nil, answers{octo: status(403)}, Skip, []string{"not looked at"}},
		{"broken", "namespaces", nil, answers{octo: status(500)}, Fail, []string{"the API server says 500"}},

		{"ours", "definitions", nil, nil, OK, []string{"communicationpools.octo-mesh.meshmakers.io: serves v1alpha1; of helm release octo in namespace mesh, of this operator's chart octo-operator-0.1.0"}},
		{"by hand", "definitions", nil, nil, OK, []string{"deploymentsites", "serves v1; of no helm release, written by kubectl"}},
		{"the reference operator's", "definitions", nil, answers{definitionPath("communicationpools"): says(`{"metadata": {"labels": {"helm.sh/chart": "octo-mesh-crds-1.0"}, "annotations": {"meta.helm.sh/release-name": "mesh"}}}`)}, OK, []string{"of the reference operator's chart octo-mesh-crds-1.0"}},
		{"another's", "definitions", nil, answers{definitionPath("communicationpools"): says(`{"metadata": {"labels": {"helm.sh/chart": "platform-7"}, "annotations": {"meta.helm.sh/release-name": "p"}}}`)}, OK, []string{"of another chart, platform-7"}},
		{"that may not be read", "definitions", nil, answers{definitionPath("communicationpools"): status(403)}, OK, []string{"serves v1alpha1; who has made it cannot be told"}},
		{"none", "definitions", nil, answers{group: status(404)}, Fail, []string{"CRD communicationpools.octo-mesh.meshmakers.io: does not exist", "deploy/crds"}},
		{"one of two", "definitions", nil, answers{group + "/v1": says(`{"resources": []}`)}, Warn, []string{"CRD deploymentsites.octo-mesh.meshmakers.io: does not exist", "G4"}},
		{"another version", "definitions", nil, answers{group + "/v1alpha1": says(`{"resources": []}`), group + "/v1": says(`{"resources": [{"name": "communicationpools"}, {"name": "deploymentsites"}]}`)}, Fail, []string{"serves v1, and the operator asks for v1alpha1"}},
		{"unknown", "definitions", nil, answers{group: status(500)}, Fail, []string{"cannot look which"}},
	} {
		t.Run(test.check+" "+test.name, func(t *testing.T) {
			r := newRig(t, test.environ...)
			for path, answer := range test.answers {
				r.played[path] = answer
			}
			r.want(r.looks(test.check), test.mark, test.words...)
		})
	}
}

func dated(ago time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", time.Now().Add(ago).UTC().Format(http.TimeFormat))
		fmt.Fprint(w, `{"gitVersion": "v1.37.2"}`)
	}
}

func TestTheDefinitionThatTheControllersGenerationNeedsMustBeThere(t *testing.T) {
	for generation, marks := range map[string][2]Mark{"G3": {Fail, OK}, "G4": {OK, Fail}} {
		address := serve(t, says("octo_operator_connected{generation=\""+generation+"\"} 1\n"))
		for i, gone := range []string{"/v1alpha1", "/v1"} {
			r := newRig(t, "KESTREL__ENDPOINTS__HTTP__URL=http://"+address)
			r.played["/apis/octo-mesh.meshmakers.io"+gone] = says(`{"resources": []}`)
			r.want(r.looks("definitions"), marks[i], "does not exist")
		}
	}
}

func TestAChecksTimeIsOverAlsoIfTheAPIServerTakesTheRequestAndSaysNothing(t *testing.T) {
	for name, path := range map[string]string{
		"cluster": "/version", "clock": "/version", "namespaces": "/api/v1/namespaces/octo", "permissions": "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
		"definitions": "/apis/octo-mesh.meshmakers.io", "webhooks": webhooksPath("mutatingwebhookconfigurations"), "leader": "",
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if r.played[path] = hangs; name == "leader" {
				r.played["/apis/coordination.k8s.io/v1/namespaces/octo/leases/"+r.lease()] = hangs
			}
			mark := Fail
			if name == "clock" || name == "webhooks" {
				mark = Warn
			}
			r.want(r.hanging(name), mark, "no answer within")
		})
	}
}

// lease is the name of the Lease.
func (r *rig) lease() string {
	h, _ := journal.ReadHolder(r.Context(), r.api, "octo", r.Settings.ControllerURI)
	return h.Lease
}

func TestWhoLeadsIsTold(t *testing.T) {
	now := time.Now().UTC()
	at := func(ago time.Duration) string { return now.Add(-ago).Format("2006-01-02T15:04:05.000000Z") }
	for name, test := range map[string]struct {
		lease string
		mark  Mark
		words []string
	}{
		"another":       {fmt.Sprintf(`{"holderIdentity": "pod-1_0123456789ab", "leaseDurationSeconds": 12, "acquireTime": %q, "renewTime": %q}`, at(time.Hour), at(0)), OK, []string{"pod-1 leads since " + now.Add(-time.Hour).Format(time.RFC3339)}},
		"this one":      {fmt.Sprintf(`{"holderIdentity": "pod-1_aaaaaaaaaaaa", "leaseDurationSeconds": 12, "renewTime": %q}`, at(0)), OK, []string{"pod-1, which is this operator, leads; the Lease"}},
		"one of before": {fmt.Sprintf(`{"holderIdentity": "pod-1_0123456789ab", "leaseDurationSeconds": 12, "renewTime": %q}`, at(5*time.Minute)), Fail, []string{"nobody leads: pod-1 has not renewed", "for 5m0s", "kubectl logs"}},
		"nobody now":    {fmt.Sprintf(`{"holderIdentity": "pod-1_0123456789ab", "leaseDurationSeconds": 1, "renewTime": %q}`, at(0)), Warn, []string{"nobody leads since", "pod-1 has ended"}},
		"nobody yet":    {"", Warn, []string{"nobody has led yet"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.hasRun()
			r.identity("aaaaaaaaaaaa")
			r.now = func() time.Time { return now }
			if path := "/apis/coordination.k8s.io/v1/namespaces/octo/leases/" + r.lease(); test.lease != "" {
				r.played[path] = says(`{"metadata": {"resourceVersion": "1"}, "spec": ` + test.lease + `}`)
			}
			r.want(r.looks("leader"), test.mark, test.words...)
		})
	}
	r := newRig(t)
	r.played["/apis/coordination.k8s.io/v1/namespaces/octo/leases/"+r.lease()] = status(403)
	r.want(r.looks("leader"), Fail, "cannot read the Lease octo-operator-")
	r = newRig(t, "OPERATOR__CLUSTERJOURNAL=false")
	r.want(r.looks("leader"), OK, "there is no Lease")
}

// review is a request of whether one right is given.
type review struct {
	Spec struct {
		ResourceAttributes struct{ Verb, Group, Resource, Name, Namespace string }
	}
}

// forbids makes the API server refuse the rights whose description, "verb resource name namespace", contains all of the words of an
// entry.
func (r *rig) forbids(rights ...string) {
	r.played["/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"] = says(`{"status": {"incomplete": true}}`)
	r.played["/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"] = func(w http.ResponseWriter, request *http.Request) {
		var q review
		_ = json.NewDecoder(request.Body).Decode(&q)
		a := q.Spec.ResourceAttributes
		asked := fmt.Sprintf(" %s %s %s %s %s ", a.Verb, a.Resource, a.Name, a.Namespace, request.Header.Get("Impersonate-User"))
		allowed := true
		for _, right := range rights {
			all := true
			for word := range strings.FieldsSeq(right) {
				all = all && strings.Contains(asked, " "+word+" ")
			}
			allowed = allowed && !all
		}
		fmt.Fprintf(w, `{"status": {"allowed": %v}}`, allowed)
	}
}

func TestEachPermissionThatLacksIsNamedWithWhatIsNotPossibleWithoutIt(t *testing.T) {
	for _, test := range []struct {
		name      string
		environ   []string
		forbidden []string
		mark      Mark
		words     []string
	}{
		{"all", nil, nil, OK, []string{"permissions for releases in octo: all "}},
		{"watching", nil, nil, OK, []string{"permissions to watch pools in all namespaces: all "}},
		{"a verb", nil, []string{"create secrets"}, Fail, []string{"permissions for releases in octo: may not create secrets", "nothing is deployed", "deploy/chart"}},
		{"two", nil, []string{"create secrets", "list jobs"}, Fail, []string{"create secrets, list jobs.batch", "without it nothing is deployed"}},
		{"what charts may do without", nil, []string{"list jobs"}, Warn, []string{"may not list jobs.batch", "charts that contain such objects fail"}},
		{"pools", nil, []string{"watch deploymentsites"}, Fail, []string{"permissions to watch pools in all namespaces", "watch deploymentsites.octo-mesh.meshmakers.io", "no pool is registered"}},
		{"a subresource", nil, []string{"patch communicationpools"}, Fail, []string{"patch communicationpools.octo-mesh.meshmakers.io/status"}},
		{"in one namespace", []string{"OPERATOR__WATCHNAMESPACE=octo"}, []string{"watch deploymentsites"}, Fail, []string{"permissions to watch pools in octo: may not"}},
		{"the platform's", []string{"OPERATOR__PLATFORMNAMESPACE=platform"}, []string{"list events platform"}, Fail, []string{"permissions for releases in platform: may not list events", "why a release is not ready"}},
		{"webhooks", nil, []string{"list mutatingwebhookconfigurations"}, Warn, []string{"permissions to look at webhooks", "not whose it is"}},
		{"no copies, no Lease", []string{"OPERATOR__CLUSTERJOURNAL=false"}, []string{"create leases"}, OK, []string{"permissions for releases in octo"}},
		{"pools by hand", []string{"OPERATOR__AUTOMANAGEPOOLS=false"}, []string{"create communicationpools"}, OK, []string{"permissions for releases in octo"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.environ...)
			r.forbids(test.forbidden...)
			r.want(r.looks("permissions"), test.mark, test.words...)
		})
	}
}

func TestTheOperatorMayActAsTheTenantsAccounts(t *testing.T) {
	const template = "OPERATOR__TENANTSERVICEACCOUNT=octo-tenants/octo-{tenant}"
	r := newRig(t)
	r.want(r.looks("tenants' accounts"), OK, "is not set")

	r = newRig(t, template)
	r.hasRun(deployFrom("https://charts.example.com"))
	r.want(r.looks("tenants' accounts"), OK, "may be impersonated, all those of namespace octo-tenants")
	r.want(r.looks("tenants' accounts"), OK, "tenant's account octo-acme", "keep releases in octo")

	r = newRig(t, template)
	r.forbids("impersonate serviceaccounts")
	r.want(r.looks("tenants' accounts"), Fail, "may not be impersonated in namespace octo-tenants", "docs/tenants.md")
	r.hasRun(deployFrom("https://charts.example.com"))
	r.deploys = r.lastDeploys
	r.want(r.looks("tenants' accounts"), Fail, "tenant's account octo-acme: may not be impersonated")

	r = newRig(t, template)
	r.hasRun(deployFrom("https://charts.example.com"))
	r.forbids("create secrets system:serviceaccount:octo-tenants:octo-acme")
	r.want(r.looks("tenants' accounts"), Fail, "octo-acme: may not create secrets in octo", "deploy/tenants")
}
