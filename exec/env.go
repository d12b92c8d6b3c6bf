package exec

import (
	"slices"
	"strings"
)

// DefaultEnv names the operator's variables that a script may see: what helm
// and kubectl need to find their cluster and to get out to a chart
// repository. Everything else of the operator's own environment, its secrets
// above all, stays out; HELM_* is up to the caller, who gives each run homes
// of its own.
var DefaultEnv = []string{
	"PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "TZ",
	"KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
	"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY",
	"http_proxy", "https_proxy", "all_proxy", "no_proxy",
}

// AllowEnv returns those variables of environ (KEY=value, as os.Environ gives
// them) whose name is among names, in their order. It never returns nil.
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
