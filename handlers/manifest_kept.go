package handlers

import (
	"errors"
	"io/fs"
	"slices"

	"octo-operator/exec"
	"octo-operator/kube"
)

// keepManifest takes what is secret out of the manifest that helm has made of the chart: the values of its Secrets, wherever they stand,
// and those that came with the event. A manifest in which that cannot be told goes. It is done before the run has its result: a run
// that begins again makes another one.
func keepManifest(t *task) {
	manifest, err := readManifest(t.Path(manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var secrets []string
	if err == nil {
		manifest, secrets, err = kube.WithoutSecrets(manifest, removedSecret)
	}
	if err == nil {
		secrets = slices.DeleteFunc(secrets, func(value string) bool { return len(value) < shortestElsewhere })
		redact := exec.NewRedactor(secrets...)
		if redact.Full() {
			err = errors.New("the chart's Secrets hold too much")
		} else {
			manifest = []byte(t.redact.String(redact.String(string(manifest))))
			err = t.Write(manifestFile, manifest)
		}
	}
	if err == nil {
		return
	}
	t.log.Info("the manifest is not kept: nobody can tell what in it is secret", "reason", err)
	if err := t.Remove(manifestFile); err != nil {
		t.log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err)
	}
}

// shortestElsewhere is the length in bytes from which on a value of a chart's own Secret is taken out of other objects too. Shorter ones
// are mostly words: "postgres", "true".
const shortestElsewhere = 9

const removedSecret = "[removed after the run]"
