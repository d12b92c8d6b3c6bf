package doctor

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/Masterminds/semver/v3"

	"octo-operator/kube"
)

// cluster tells whether the API server answers, its version, and as which user the operator asks.
func (x *examination) cluster(ctx context.Context) []Finding {
	server, err := x.api.Server(ctx)
	if err != nil {
		told := found(Fail, clusterCheck, "%v", err)
		switch {
		case kube.Denied(err):
			return []Finding{told.todo("its credentials are not accepted: look at the service account, or at the kubeconfig")}
		case x.inPod():
			return []Finding{told.todo("look whether this pod may reach the API server: network policies, its service account, the node")}
		}
		return []Finding{told.todo("set KUBECONFIG to a file with which kubectl reaches the cluster, or run this in the operator's pod: kubectl exec")}
	}
	if err := x.api.Ready(ctx); err != nil {
		return []Finding{found(Warn, clusterCheck, "the API server answers (%s), and is not ready: %v", server.Version, err).
			todo("kubectl get --raw /readyz?verbose says more")}
	}
	as := "as kubectl's current context has it"
	if self, _ := x.api.Self(ctx); self.ServiceAccount != "" {
		as = "as service account " + self.Namespace + "/" + self.ServiceAccount
	}
	return []Finding{x.judgeVersion(ctx, server.Version, as)}
}

func (x *examination) judgeVersion(ctx context.Context, said, as string) Finding {
	version, err := semver.NewVersion(said)
	if err != nil {
		return found(OK, clusterCheck, "reached %s; its version is %q", as, said)
	}
	if version.LessThan(oldestKubernetes) {
		return found(Warn, clusterCheck, "reached %s; %s is older than %s", as, said, oldestKubernetes).
			todo("upgrade the cluster: the rules in the CRDs use what older API servers drop")
	}
	if kubectl, kubectlSaid, err := x.kubectlVersion(ctx); err == nil && kubectl.Minor() > version.Minor()+1 || err == nil && kubectl.Minor()+1 < version.Minor() {
		return found(Warn, clusterCheck, "reached %s; %s, and kubectl is %s: Kubernetes promises that they work together if they differ by one minor version at most",
			as, said, kubectlSaid).
			todo("use a kubectl of the cluster's version; what has been tried is %s", testedKubectl)
	}
	return found(OK, clusterCheck, "reached %s; %s", as, said)
}

// How far the clocks may differ. Certificates, tokens and the Lease depend on the time.
const (
	someSkew = 5 * time.Second
	muchSkew = time.Minute
)

func (x *examination) clock(ctx context.Context) []Finding {
	before := x.now()
	server, err := x.api.Server(ctx)
	after := x.now()
	if err != nil {
		return []Finding{found(Warn, "clock", "cannot ask the API server for its time: %v", err).todo(slowCluster)}
	}
	if server.Date.IsZero() {
		return []Finding{found(Skip, "clock", "the API server does not say what time it is")}
	}
	skew := skewOf(before, after, server.Date)
	told := found(OK, "clock", "that of the API server, within %s", someSkew)
	if skew > someSkew || skew < -someSkew {
		direction := "ahead of"
		if skew < 0 {
			direction = "behind"
		}
		mark := Warn
		if skew.Abs() > muchSkew {
			mark = Fail
		}
		told = found(mark, "clock", "%s %s the API server's", skew.Abs().Round(time.Second), direction).
			todo("set the clocks of this machine and of the control plane by NTP: tokens and certificates are judged by the time")
	}
	return []Finding{told}
}

// skewOf returns how far this machine's clock is ahead of the server's. The server's time is in whole seconds and was read between before
// and after.
func skewOf(before, after, server time.Time) time.Duration {
	switch {
	case before.After(server.Add(time.Second)):
		return before.Sub(server.Add(time.Second))
	case after.Before(server):
		return after.Sub(server)
	}
	return 0
}

// releaseNamespaces returns the namespaces in which releases are deployed.
func (x *examination) releaseNamespaces() []string {
	all := []string{x.Settings.PoolNamespace}
	if x.Settings.PlatformNamespace != "" {
		all = append(all, x.Settings.PlatformNamespace)
	}
	return slices.Compact(all)
}

func (x *examination) namespaces(ctx context.Context) (all []Finding) {
	wanted := x.releaseNamespaces()
	if watched := x.Settings.WatchNamespace; watched != "" && !slices.Contains(wanted, watched) {
		wanted = append(wanted, watched)
	}
	for _, namespace := range wanted {
		all = append(all, x.namespace(ctx, namespace))
	}
	return all
}

func (x *examination) namespace(ctx context.Context, name string) Finding {
	check := "namespace " + name
	var object struct{ Status struct{ Phase string } }
	err := x.api.Do(ctx, http.MethodGet, "/api/v1/namespaces/"+url.PathEscape(name), nil, &object)
	switch {
	case kube.NotFound(err):
		return found(Fail, check, "does not exist").
			todo("kubectl create namespace %s; or correct OPERATOR__POOLNAMESPACE, __PLATFORMNAMESPACE or __WATCHNAMESPACE", name)
	case kube.Denied(err):
		return found(Skip, check, "not looked at: %v", err)
	case err != nil:
		return found(Fail, check, "%v", err).todo(slowCluster)
	case object.Status.Phase == "Terminating":
		return found(Fail, check, "is being deleted: nothing new can be made in it").
			todo("wait until it is gone and make it again; kubectl get namespace %s --output yaml says what holds it", name)
	}
	return found(OK, check, "exists, for %s", x.use(name))
}

// use says what a namespace is for.
func (x *examination) use(namespace string) string {
	switch namespace {
	case x.Settings.PoolNamespace:
		return "pools and releases"
	case x.Settings.PlatformNamespace:
		return "releases of adapter pools"
	}
	return "pool resources"
}
