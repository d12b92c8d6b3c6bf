package exec

import (
	"slices"
	"strings"
)

// DefaultEnv names the operator's variables that a script may see: those with which helm and kubectl find their cluster, and reach chart
// repositories. All other variables of the operator, above all its secrets, are left out. HELM_* is up to the caller, who gives each run
// its own helm directories.
var DefaultEnv = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ",
	"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "all_proxy", "no_proxy",
}

// AllowEnv returns the variables of environ (KEY=value, as from os.Environ) whose name is among names, in the order of environ. It never
// returns nil.
func AllowEnv(environ []string, names ...string) []string {
	allowed := []string{}
	for _, variable := range environ {
		name, _, ok := strings.Cut(variable, "=")
		if ok && slices.Contains(names, name) {
			allowed = append(allowed, variable)
		}
	}
	return allowed
}
