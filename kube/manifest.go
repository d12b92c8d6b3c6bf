package kube

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// RevisionSecret is the name of the Secret in which Helm keeps a revision of a release.
func RevisionSecret(release, revision string) string {
	return "sh.helm.release.v1." + release + ".v" + revision
}

// maxRelease bounds what a revision may unpack to: Helm keeps a megabyte packed.
const maxRelease = 64 << 20

// Manifest returns what a revision of a release consists of, as helm get manifest does. It reads Helm's Secret, since helm would
// cost a process: base64 of gzip of JSON, in all of Helm's versions that know Secrets.
func (k *Kubectl) Manifest(ctx context.Context, namespace, release, revision string) ([]byte, error) {
	var secret struct{ Data struct{ Release []byte } }
	err := k.Do(ctx, http.MethodGet, collection(core, namespace, "secrets")+"/"+url.PathEscape(RevisionSecret(release, revision)), nil, &secret)
	var manifest []byte
	if err == nil {
		manifest, err = manifestOf(secret.Data.Release)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read revision %s of release %s: %w", revision, release, err)
	}
	return manifest, nil
}

func manifestOf(stored []byte) ([]byte, error) {
	unzip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(stored)))
	if err != nil {
		return nil, err
	}
	var release struct{ Manifest string }
	err = json.NewDecoder(io.LimitReader(unzip, maxRelease)).Decode(&release)
	return []byte(release.Manifest), err
}
