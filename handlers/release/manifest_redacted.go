package release

import (
	"errors"
	"io/fs"

	"octo-operator/dispatch"
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
	if err == nil {
		manifest, err = redactedManifest(t, manifest)
	}
	if err == nil {
		err = t.Write(ManifestFile, manifest)
	}
	if err == nil {
		return
	}
	t.Log.Info("the manifest is not kept: nobody can tell what in it is secret", "reason", err)
	if err := t.Remove(ManifestFile); err != nil {
		t.Log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err, "next", "remove manifest.yaml there when the disk can be written to")
	}
}

func redactedManifest(t *dispatch.Task, manifest []byte) ([]byte, error) {
	hooks, err := hookSecrets(t)
	if err != nil {
		return nil, err
	}
	redact, err := withoutSecretsOf(t, manifest, hooks)
	if err != nil {
		return nil, err
	}
	manifest, _, err = kube.WithoutSecrets(manifest, hub.RemovedSecret, redact.Value)
	return []byte(redact.Text(string(manifest))), err
}
