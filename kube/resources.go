package kube

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// groupKind returns group and kind without the version, such as apps/Deployment or Pod.
func groupKind(o Object) string {
	if group := o.group(); group != "" {
		return group + "/" + o.Kind
	}
	return o.Kind
}

// neverWaited are the kinds that are ready as soon as they exist.
var neverWaited = map[string]bool{
	"ConfigMap": true, "Secret": true, "ServiceAccount": true, "Endpoints": true, "LimitRange": true, "ResourceQuota": true,
	"rbac.authorization.k8s.io/Role": true, "rbac.authorization.k8s.io/RoleBinding": true,
	"rbac.authorization.k8s.io/ClusterRole": true, "rbac.authorization.k8s.io/ClusterRoleBinding": true,
	"networking.k8s.io/Ingress": true, "networking.k8s.io/IngressClass": true, "networking.k8s.io/NetworkPolicy": true,
	"batch/CronJob": true, "scheduling.k8s.io/PriorityClass": true, "storage.k8s.io/StorageClass": true, "coordination.k8s.io/Lease": true,
	"admissionregistration.k8s.io/MutatingWebhookConfiguration": true, "admissionregistration.k8s.io/ValidatingWebhookConfiguration": true,
}

// resourceName is the name of a kind in paths.
type resourceName struct {
	plural     string
	namespaced bool
}

// builtIn are kinds that every cluster has and that need no discovery.
var builtIn = map[string]resourceName{
	"Pod": {"pods", true}, "Service": {"services", true}, "PersistentVolumeClaim": {"persistentvolumeclaims", true},
	"ConfigMap": {"configmaps", true}, "Secret": {"secrets", true}, "ServiceAccount": {"serviceaccounts", true},
	"networking.k8s.io/Ingress": {"ingresses", true},
	"apps/Deployment":           {"deployments", true}, "apps/StatefulSet": {"statefulsets", true},
	"apps/DaemonSet": {"daemonsets", true}, "apps/ReplicaSet": {"replicasets", true}, "batch/Job": {"jobs", true},
	"apiextensions.k8s.io/CustomResourceDefinition": {"customresourcedefinitions", false},
}

// discovered caches the kinds that the cluster has, by API version and kind. A kind that is missing is not cached, because it may be
// added any time.
type discovered struct {
	mu    sync.Mutex
	known map[string]map[string]resourceName
}

func (d *discovered) find(o Object) (resourceName, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	name, found := d.known[o.APIVersion][o.Kind]
	return name, found
}

func (d *discovered) keep(apiVersion string, kinds map[string]resourceName) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.known == nil {
		d.known = map[string]map[string]resourceName{}
	}
	d.known[apiVersion] = kinds
}

// resource returns the resource name of an object's kind; found is false if the cluster has no such kind, or does not say.
func (k *Client) resource(ctx context.Context, o Object) (name resourceName, found bool, err error) {
	if name, found := builtIn[groupKind(o)]; found {
		return name, true, nil
	}
	if name, found := k.discovered.find(o); found {
		return name, true, nil
	}
	var answer struct {
		Resources []struct {
			Name, Kind string
			Namespaced bool
		}
	}
	err = k.do(ctx, request{method: http.MethodGet, path: o.api()}, &answer)
	if NotFound(err) || forbidden(err) {
		k.log.Debug("object not looked at: the cluster does not say whether it has the kind", "kind", o.Kind, "name", o.Name, "reason", err)
		return resourceName{}, false, nil
	}
	if err != nil {
		return resourceName{}, false, err
	}
	kinds := map[string]resourceName{}
	for _, r := range answer.Resources {
		if !strings.Contains(r.Name, "/") { // such as certificates/status
			kinds[r.Kind] = resourceName{r.Name, r.Namespaced}
		}
	}
	k.discovered.keep(o.APIVersion, kinds)
	name, found = kinds[o.Kind]
	return name, found, nil
}

// api returns the path of the object's API version, such as /apis/apps/v1.
func (o Object) api() string {
	group, version, grouped := strings.Cut(o.APIVersion, "/")
	if !grouped {
		return "/api/" + url.PathEscape(o.APIVersion)
	}
	return "/apis/" + url.PathEscape(group) + "/" + url.PathEscape(version)
}

// path returns the path of the object itself.
func (o Object) path(name resourceName) string {
	namespace := ""
	if name.namespaced {
		namespace = o.Namespace
	}
	return collection(o.api(), namespace, name.plural) + "/" + url.PathEscape(o.Name)
}
