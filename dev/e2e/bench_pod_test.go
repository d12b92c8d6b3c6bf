package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
)

// podPlace lets a benchmark's operator find the cluster as in a pod: by a service account's files and two variables, without a
// kubeconfig. There it needs no kubectl proxy, which costs milliseconds in each look-up and 45 MiB.
type podPlace struct {
	wrap []string // the command that starts the operator
	env  []string
}

// podScript gives a process the service account's files where a pod has them. No other process sees them there.
const podScript = `set -eu
mount -t tmpfs none /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
cp "$0"/* /run/secrets/kubernetes.io/serviceaccount/
exec "$@"`

// newPod makes a podPlace whose service account has the chart's rights in the namespace.
func (r *rig) newPod() podPlace {
	r.Helper()
	r.must(allowOperator(r.namespace))
	view := func(path string) string {
		return r.command("kubectl", "config", "view", "--raw", "--minify", "--output", "jsonpath={.clusters[0].cluster."+path+"}")
	}
	authority, err := base64.StdEncoding.DecodeString(view("certificate-authority-data"))
	r.must(err)
	dir := r.TempDir()
	for name, text := range map[string]string{
		"ca.crt":    string(authority),
		"token":     strings.TrimSpace(r.command("kubectl", "create", "token", "communication-operator", "--namespace", suiteNamespace, "--duration=24h")),
		"namespace": r.namespace,
	} {
		r.must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	host, port, _ := strings.Cut(strings.TrimPrefix(view("server"), "https://"), ":")
	unshare := []string{"unshare", "--mount"}
	if os.Geteuid() != 0 {
		unshare = append(unshare, "--map-root-user")
	}
	return podPlace{
		wrap: append(unshare, "sh", "-c", podScript, dir),
		env:  []string{"KUBECONFIG=", "KUBERNETES_SERVICE_HOST=" + host, "KUBERNETES_SERVICE_PORT=" + port, "HOME=" + r.TempDir()},
	}
}
