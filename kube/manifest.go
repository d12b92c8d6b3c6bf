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
	"strings"

	"octo-operator/bounds"
)

// RevisionSecret is the name of the Secret in which Helm keeps a revision of a release.
func RevisionSecret(release, revision string) string {
	return "sh.helm.release.v1." + release + ".v" + revision
}

// Manifest returns what a revision of a release consists of, as helm get manifest does.
func (k *Kubectl) Manifest(ctx context.Context, namespace, release, revision string) ([]byte, error) {
	content, err := k.content(ctx, namespace, release, revision)
	return []byte(content.Manifest), err
}

// Values returns the values that the user of helm has given for a revision of a release, as helm get values does: a JSON object,
// or null.
func (k *Kubectl) Values(ctx context.Context, namespace, release, revision string) (json.RawMessage, error) {
	content, err := k.content(ctx, namespace, release, revision)
	return content.Config, err
}

// AppliedOnServer tells whether a revision's objects were applied on the server's side. helm 4 goes on as the revision before was
// applied; helm 3 never does it, and does not say so.
func (k *Kubectl) AppliedOnServer(ctx context.Context, namespace, release, revision string) (bool, error) {
	content, err := k.content(ctx, namespace, release, revision)
	return content.ApplyMethod == "ssa", err
}

// Chart returns the name and the version of the chart that a revision of a release was made of, as helm get metadata does.
func (k *Kubectl) Chart(ctx context.Context, namespace, release, revision string) (name, version string, err error) {
	content, err := k.content(ctx, namespace, release, revision)
	return content.Chart.Metadata.Name, content.Chart.Metadata.Version, err
}

// content is what Helm keeps of a revision, as far as it is looked at.
type content struct {
	Chart struct {
		Metadata struct{ Name, Version string }
	}
	Manifest    string
	Config      json.RawMessage
	ApplyMethod string `json:"apply_method"`
}

// content reads Helm's Secret, since helm would cost a process: base64 of gzip of JSON, in all of Helm's versions that know Secrets.
func (k *Kubectl) content(ctx context.Context, namespace, release, revision string) (content, error) {
	var secret struct{ Data struct{ Release []byte } }
	err := k.Do(ctx, http.MethodGet, secretPath(namespace, RevisionSecret(release, revision)), nil, &secret)
	var c content
	if err == nil {
		c, err = contentOf(secret.Data.Release)
	}
	if err != nil {
		return content{}, fmt.Errorf("cannot read revision %s of release %s: %w", revision, release, err)
	}
	return c, nil
}

// contentOf reads a revision piece by piece: all of the chart is in it, with files that may be as large as they like once they are
// unpacked.
func contentOf(stored []byte) (c content, err error) {
	unzip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(stored)))
	if err != nil {
		return c, err
	}
	pieces := bounds.NewPieces(io.LimitReader(unzip, bounds.Release), maxPiece)
	fields := map[string]any{"manifest": &c.Manifest, "config": &c.Config, "apply_method": &c.ApplyMethod}
	err = pieces.Fields(func(name string) error {
		name = strings.ToLower(name) // as encoding/json takes them
		if into := fields[name]; into != nil {
			return pieces.Decode(into)
		}
		if name != "chart" {
			return pieces.Skip()
		}
		return pieces.Fields(func(name string) error {
			if strings.ToLower(name) == "metadata" {
				return pieces.Decode(&c.Chart.Metadata)
			}
			return pieces.Skip()
		})
	})
	return c, err
}

// maxPiece is a manifest, in which each quote and each line end has two bytes.
const maxPiece = bounds.Manifest + bounds.Manifest/4
