package release

import (
	"errors"
	"io/fs"
	"slices"

	"octo-operator/dispatch"
	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/kube"
)

// RedactManifest removes secrets from the rendered manifest: the values of its Secrets, wherever they stand, and those of the event. A manifest
// in which they cannot be found is deleted. It must be called before the run has its result.
func RedactManifest(t *dispatch.Task) {
	manifest, err := readManifest(t.Path(ManifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var secrets []string
	if err == nil {
		manifest, secrets, err = kube.WithoutSecrets(manifest, hub.RemovedSecret)
	}
	if err == nil {
		secrets = slices.DeleteFunc(secrets, func(value string) bool { return len(value) < shortestElsewhere })
		redact := exec.NewRedactor(secrets...)
		if redact.Full() {
			err = errors.New("the chart's Secrets hold too much")
		} else {
			manifest = []byte(t.Redact.String(redact.String(string(manifest))))
			err = t.Write(ManifestFile, manifest)
		}
	}
	if err == nil {
		return
	}
	t.Log.Info("the manifest is not kept: nobody can tell what in it is secret", "reason", err)
	if err := t.Remove(ManifestFile); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err, "next", "remove manifest.yaml there when the disk can be written to")
	}
}

// shortestElsewhere is the least length in bytes of a value of a chart's own Secret that is removed from other objects too. Shorter ones are
// mostly words: "postgres", "true".
const shortestElsewhere = 9
