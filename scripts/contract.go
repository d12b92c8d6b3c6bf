package scripts

import (
	"slices"
	"strings"
)

// The variables that scripts get, without the prefix OCTO_. docs/scripts.md describes each. Tests compare these lists with docs/scripts.md and with
// what scripts really get.
const (
	everyScript = "RUN CALLBACK LIB FIELD_MANAGER AS ANNOUNCE"
	guarded     = "KUBECONFIG GUARDED" // for scripts that work on a release
	deployed    = "TENANT WORKLOAD RELEASE NAMESPACE LABELS SECRET SECRET_REPLACES TIMEOUT FORCE_CONFLICTS DRY_RUN_FORCES UPGRADE WAIT HELM REPLICAS " +
		"SCALE_SCRIPT LOOKS_UP OPERATOR OWN_SECRETS OPERATOR_SECRETS OPERATOR_ACCOUNT " + guarded
)

var inputs = map[string]string{
	ChartPull:        "TENANT WORKLOAD REPOSITORY CHART CHART_VERSION CHART_URL CREDENTIALS PLAIN_HTTP",
	WorkloadDeploy:   deployed,
	WorkloadPlan:     deployed,
	WorkloadRestart:  "TENANT WORKLOAD RELEASE NAMESPACE RESTART " + guarded,
	WorkloadRollback: "RELEASE NAMESPACE REVISION TIMEOUT HELM REPLICAS SCALE_SCRIPT " + guarded,
	WorkloadRecover:  "RELEASE NAMESPACE TIMEOUT STALE_REVISION " + guarded,
	WorkloadScale:    "TENANT WORKLOAD RELEASE NAMESPACE REPLICAS " + guarded,
	WorkloadUndeploy: "TENANT WORKLOAD RELEASE NAMESPACE SECRET TIMEOUT " + guarded,
	PoolDeploy:       "TENANT POOL NAMESPACE",
	PoolUndeploy:     "TENANT POOL POOL_RESOURCE NAMESPACE SECRET",
	TenantPreUpdate:  "TENANT",
}

// Variables returns the OCTO_ variables that a step's script gets, sorted. If step is not a step, it returns all that any script gets.
func Variables(step string) []string {
	own := strings.Fields(everyScript + " " + inputs[step])
	if inputs[step] == "" {
		for _, others := range inputs {
			own = append(own, strings.Fields(others)...)
		}
	}
	for i, name := range own {
		own[i] = "OCTO_" + name
	}
	slices.Sort(own)
	return slices.Compact(own)
}

// Environment returns the other variables that a script may get, most of them only if the operator has them.
func Environment() []string {
	return strings.Fields(`PATH HOME TMPDIR LANG LC_ALL TZ
		KUBECONFIG KUBERNETES_SERVICE_HOST KUBERNETES_SERVICE_PORT SSL_CERT_FILE SSL_CERT_DIR
		HTTP_PROXY HTTPS_PROXY ALL_PROXY NO_PROXY http_proxy https_proxy all_proxy no_proxy
		HELM_CACHE_HOME HELM_CONFIG_HOME HELM_DATA_HOME KUBECACHEDIR GOGC GOMEMLIMIT OCTO_DAEMON`)
}
