package guard

import (
	"net/url"
	"strings"
	"testing"

	"octo-operator/kube"
)

const group = "octo-mesh.meshmakers.io"

var run = Scope{
	Release: "acme-8d9001d32c6a703d95921a77", Namespace: "octo", Group: group, Tenants: []string{"acme"},
	Secrets: []string{"acme-8d9001d32c6a703d95921a77-octo-secrets", "acme-8d9001d32c6a703d95921a77-octo-secrets-before"},
	Broker:  []string{"acme-pool-octo-mesh-connection"}, Renders: true,
}

const (
	secrets = "/api/v1/namespaces/octo/secrets"
	maps    = "/api/v1/namespaces/octo/configmaps"
	own     = "acme-8d9001d32c6a703d95921a77"
)

// Requests that helm 3, helm 4 and kubectl send.
func TestWhatAnOrdinaryRunAsksForPasses(t *testing.T) {
	for _, test := range []struct {
		request string
		want    verdict
	}{
		{"GET /version", pass},
		{"GET /", pass},
		{"GET /api", pass},
		{"GET /apis", pass},
		{"GET /api/v1", pass},
		{"GET /apis/apps/v1/", pass},
		{"GET /openapi/v3/apis/apps/v1?hash=AB%2F", pass},
		{"GET " + secrets + "?labelSelector=name%3D" + own + "%2Cowner%3Dhelm", pass},
		{"GET " + secrets + "?labelSelector=owner%3Dhelm%2Cname%3D" + own + "%2Cstatus%3Ddeployed", pass},
		{"GET " + secrets + "?allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan&sendInitialEvents=true&watch=true", pass},
		{"GET " + secrets + "?limit=500&resourceVersion=0", pass},
		{"GET " + secrets + "/sh.helm.release.v1." + own + ".v12", pass},
		{"PUT " + secrets + "/sh.helm.release.v1." + own + ".v12", pass},
		{"DELETE " + secrets + "/sh.helm.release.v1." + own + ".v2", pass},
		{"POST " + secrets, pass},
		{"PATCH " + secrets + "/" + own + "-octo-secrets?force=true", pass},
		{"DELETE " + secrets + "/" + own + "-octo-secrets-before", pass},
		{"GET " + secrets + "/acme-pool-octo-mesh-connection", pass},
		{"GET " + secrets + "/of-the-chart", passIfOwn},
		{"GET /api/v1/namespaces/vault/secrets/database", passIfOwn}, // and RBAC decides
		{"GET " + maps, pass},
		{"GET " + maps + "/x", passAndRemember},
		{"GET /api/v1/namespaces/octo", passAndRemember},
		{"GET /api/v1/namespaces/octo/pods/x/log?follow=true", pass},
		{"POST /apis/apps/v1/namespaces/octo/deployments", pass},
		{"PATCH /apis/apps/v1/namespaces/octo/deployments/web?dryRun=All", pass},
		{"PATCH /apis/apps/v1/namespaces/octo/deployments/web", checkOwner},
		{"PATCH /apis/apps/v1/namespaces/octo/deployments/web/scale", checkOwner},
		{"DELETE " + maps + "/x", checkOwner},
		{"PATCH /api/v1/namespaces/elsewhere/configmaps/x", pass}, // RBAC decides
		{"PATCH /apis/rbac.authorization.k8s.io/v1/clusterroles/system:x", checkOwner},
	} {
		method, path, _ := strings.Cut(test.request, " ")
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		if got, _, err := run.judge(method, u); got != test.want || err != nil {
			t.Errorf("%s: %v %v, want %v", test.request, got, err, test.want)
		}
	}
}

func TestWhatWouldReachAnotherReleaseIsRefused(t *testing.T) {
	for request, says := range map[string]string{
		"GET " + secrets:                                 "all Secrets",
		"GET /api/v1/secrets":                            "all Secrets",
		"GET /api/v1/Secrets":                            "all Secrets",
		"GET " + secrets + "/":                           "all Secrets",
		"HEAD " + secrets:                                "all Secrets",
		"GET " + secrets + "?x":                          "all Secrets",
		"GET " + secrets + "?labelSelector=owner%3Dhelm": "all Secrets",
		"GET " + secrets + "?labelSelector=name%3Dother%2Cowner%3Dhelm":                     "all Secrets",
		"GET " + secrets + "?labelSelector=a&labelSelector=name%3D" + own + ",owner%3Dhelm": "all Secrets",
		"GET /api/v1/watch/namespaces/octo/secrets":                                         "no longer",
		"GET /api/v1/proxy/namespaces/octo/services/x":                                      "no longer",
		"GET //api/v1/secrets":                                                       "two ways",
		"GET /api//v1/secrets":                                                       "two ways",
		"GET /api/v1/../v1/secrets":                                                  "two ways",
		"GET /api/v1/./secrets":                                                      "two ways",
		"GET /api/v1/namespaces/octo/s%65crets":                                      "two ways",
		"GET /api/v1/namespaces%2Focto%2Fsecrets":                                    "two ways",
		"GET " + maps + "/..%2fsecrets%2fx":                                          "two ways",
		"POST /api/v1/namespaces/octo/serviceaccounts/x/token":                       "token",
		"GET /api/v1/namespaces/octo/pods/x/exec?command=sh":                         "exec",
		"POST /api/v1/namespaces/octo/pods/x/attach":                                 "attach",
		"GET /api/v1/namespaces/octo/services/x/proxy/secret/path":                   "proxy",
		"POST /api/v1/namespaces/octo/pods/x/portforward":                            "portforward",
		"DELETE " + maps:                                                             "deletes all",
		"DELETE " + maps + "/":                                                       "deletes all",
		"CONNECT /api/v1":                                                            "CONNECT",
		"get /api/v1":                                                                "get",
		"POST /apis":                                                                 "nothing",
		"PATCH " + secrets + "/sh.helm.release.v1.other.v1":                          "another release",
		"DELETE " + secrets + "/sh.helm.release.v1." + own + ".vx":                   "another release",
		"DELETE " + secrets + "/sh.helm.release.v1." + own + ".v1.v2":                "another release",
		"PATCH /apis/" + group + "/v1/namespaces/octo/deploymentsites/x?dryRun=All":  "API group",
		"POST /apis/" + group + "/v1alpha1/namespaces/octo/communicationpools":       "API group",
		"DELETE /apis/coordination.k8s.io/v1/namespaces/octo/leases/octo-operator-1": "operator's own",
	} {
		method, path, _ := strings.Cut(request, " ")
		u, err := url.Parse(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(path, "//") {
			u = &url.URL{Path: path}
		}
		if step, _, err := run.judge(method, u); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v %v, want %q", request, step, err, says)
		}
	}
	u, _ := url.Parse(maps + "/x?dryRun=All")
	if step, _, _ := run.judge("DELETE", u); step != checkOwner {
		t.Error("a DELETE whose body may say something else passes as a dry run")
	}
	stored := run
	stored.Renders = false // helm uninstall waits for what it deletes
	u, _ = url.Parse(secrets)
	if _, _, err := stored.judge("GET", u); err != nil {
		t.Error(err)
	}
}

func TestWhoseAnObjectIsSaysTheObject(t *testing.T) {
	helms := func(release, namespace string) map[string]string {
		return map[string]string{"meta.helm.sh/release-name": release, "meta.helm.sh/release-namespace": namespace}
	}
	instance := func(release string) map[string]string {
		return map[string]string{"app.kubernetes.io/instance": release}
	}
	for name, test := range map[string]struct {
		object  kube.Metadata
		own     bool
		another string
	}{
		"nobody's":                    {},
		"made by hand":                {object: kube.Metadata{Labels: instance("web")}},
		"the release's":               {object: kube.Metadata{Annotations: helms(own, "octo")}, own: true},
		"a hook of the release":       {object: kube.Metadata{Labels: instance(own)}, own: true},
		"with its tenant's label":     {object: kube.Metadata{Labels: map[string]string{group + "/tenant": "acme"}}},
		"another release's":           {object: kube.Metadata{Annotations: helms("other", "octo")}, another: "release other's"},
		"one of another namespace":    {object: kube.Metadata{Annotations: helms(own, "else")}, another: "namespace else"},
		"a hook of another release":   {object: kube.Metadata{Labels: instance("other-77777777b420da3fb1238177")}, another: "other-77777777"},
		"another tenant's":            {object: kube.Metadata{Labels: map[string]string{group + "/tenant": "victim"}}, another: "tenant victim's"},
		"another's that says it's it": {object: kube.Metadata{Labels: map[string]string{group + "/tenant": "victim"}, Annotations: helms(own, "octo")}, another: "tenant victim's"},
		"a revision of another":       {object: kube.Metadata{Labels: map[string]string{"owner": "helm", "name": "other"}}, another: "revision"},
		"the operator's journal":      {object: kube.Metadata{Labels: map[string]string{group + "/holder": "x"}}, another: "operator's own"},
	} {
		own, another := run.belongs(test.object)
		if own != test.own || !strings.Contains(another, test.another) || (another == "") != (test.another == "") {
			t.Errorf("%s: %v %q", name, own, another)
		}
	}
}

// Every path is either refused or read as the API server reads it: by its decoded segments.
func FuzzTargetOf(f *testing.F) {
	for _, path := range []string{"/", "/api/v1/secrets", secrets + "/x", "/apis/apps/v1/namespaces/octo/deployments/web/scale", "/api/v1/namespaces/octo/status",
		"//api/v1/secrets", "/api/v1/%73ecrets", "/api/v1/watch/secrets", "/api/v1/namespaces/octo/secrets/a%2fb", "/apis//v1/x", "/api/v1/namespaces/a/namespaces/b"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return
		}
		got, err := targetOf(u)
		if err != nil {
			return
		}
		// What the API server does: k8s.io/apiserver/pkg/endpoints/request.
		parts := strings.Split(strings.Trim(u.Path, "/"), "/")
		want := target{}
		switch {
		case parts[0] == "api" && len(parts) >= 3:
			parts = parts[2:]
		case parts[0] == "apis" && len(parts) >= 4:
			want.group, parts = parts[1], parts[3:]
		default:
			if got != want {
				t.Errorf("%q: %+v", path, got)
			}
			return
		}
		if parts[0] == "namespaces" && len(parts) > 1 {
			want.namespace = parts[1]
			if len(parts) > 2 && parts[2] != "status" && parts[2] != "finalize" {
				parts = parts[2:]
			}
		}
		parts = append(parts, "", "")
		want.resource, want.name, want.sub = parts[0], parts[1], parts[2]
		if got != want {
			t.Errorf("%q: %+v, and the API server reads %+v", path, got, want)
		}
	})
}
