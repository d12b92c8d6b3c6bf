package release

import (
	"fmt"
	"os"
	"strings"

	"octo-operator/bounds"
	"octo-operator/dispatch"
	"octo-operator/kube"
)

// The files that workload-deploy writes in its dry run, before anything is touched.
const (
	// ManifestFile is what helm makes of the chart. The values of its Secrets leave it when the run ends: see RedactManifest.
	ManifestFile = "manifest.yaml"
	// dryRunFile is what kubectl says of the objects that the API server would accept, each on a line.
	dryRunFile = "looked.txt"
)

// refusedObject returns the first object of the manifest that the API server has not accepted in the dry run, such as "Deployment web" (kubectl
// does not say which one it was); "": not known.
func refusedObject(t *dispatch.Task, namespace string) string {
	manifest, err := readManifest(t.Path(ManifestFile))
	if err != nil {
		return ""
	}
	looked, err := readManifest(t.Path(dryRunFile))
	if err != nil {
		return ""
	}
	objects, err := kube.Objects(manifest, namespace)
	if err != nil {
		return ""
	}
	for _, o := range objects {
		if !acceptedIn(string(looked), o) {
			return o.String()
		}
	}
	return ""
}

// readManifest reads a file that a chart may have made as large as it likes.
func readManifest(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := bounds.ReadAll(f, bounds.Manifest)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return text, nil
}

// acceptedIn looks for a line such as "deployment.apps/web serverside-applied (server dry run)".
func acceptedIn(looked string, o kube.Object) bool {
	for line := range strings.Lines(looked) {
		name, _, _ := strings.Cut(line, " ")
		kind, name, _ := strings.Cut(name, "/")
		kind, _, _ = strings.Cut(kind, ".")
		if name == o.Name && strings.EqualFold(kind, o.Kind) {
			return true
		}
	}
	return false
}
