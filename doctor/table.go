package doctor

const clusterCheck = "cluster"

// table has all checks, in the order in which people read them, beginning with what is near. Checks that need the cluster run only after
// the check "cluster" has found it.
var table = []check{
	{name: "settings", look: (*examination).settings},
	{name: "helm", look: (*examination).helm, late: "look whether the machine is out of memory or processor time"},
	{name: "kubectl", look: (*examination).kubectlTool, late: "look whether the machine is out of memory or processor time"},
	{name: "memory", look: (*examination).memory},
	{name: "state directory", look: (*examination).disk, late: "look whether the volume answers: a network disk that is away hangs whoever uses it"},
	{name: "daemon", look: (*examination).daemon, late: "look at its log: it takes connections and does not answer"},

	{name: clusterCheck, look: (*examination).cluster, late: "look whether the API server answers: kubectl get --raw /readyz"},
	{name: "clock", cluster: true, look: (*examination).clock, late: slowCluster},
	{name: "namespaces", cluster: true, look: (*examination).namespaces, late: slowCluster},
	{name: "permissions", cluster: true, look: (*examination).permissions, late: slowCluster},
	{name: "tenants' accounts", cluster: true, look: (*examination).tenantAccounts, late: slowCluster},
	{name: "definitions", cluster: true, look: (*examination).definitions, late: slowCluster},
	{name: "certificate", look: (*examination).certificate, late: "look whether the volume with the certificate answers"},
	{name: "webhooks", cluster: true, look: (*examination).webhooks, late: slowCluster},
	{name: "leader", cluster: true, look: (*examination).leader, late: slowCluster},

	{name: "controller", look: (*examination).controller, late: "look whether the controller and the token's issuer answer"},
	{name: "repositories", look: (*examination).repositories, late: "look whether the repositories answer"},
}

const slowCluster = "the API server is slow, or something between: kubectl get --raw /readyz?verbose says more"
