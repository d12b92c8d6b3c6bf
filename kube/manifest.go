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

// RevisionSecret returns the name of the Secret in which Helm keeps a revision of a release.
func RevisionSecret(release, revision string) string {
	return "sh.helm.release.v1." + release + ".v" + revision
}

// Manifest returns the manifest of a revision, as helm get manifest does: without its hooks.
func (k *Client) Manifest(ctx context.Context, namespace, release, revision string) ([]byte, error) {
	content, err := k.content(ctx, namespace, release, revision)
	return []byte(content.Manifest), err
}

// ManifestAndHooks returns what Manifest does, and the manifests of the revision's hooks as one, as helm get hooks does.
func (k *Client) ManifestAndHooks(ctx context.Context, namespace, release, revision string) (manifest, hooks []byte, err error) {
	content, err := k.content(ctx, namespace, release, revision)
	return []byte(content.Manifest), content.hooks, err
}

// Values returns the values that were given to helm for a revision, as helm get values does: a JSON object, or null.
func (k *Client) Values(ctx context.Context, namespace, release, revision string) (json.RawMessage, error) {
	content, err := k.content(ctx, namespace, release, revision)
	return content.Config, err
}

// AppliedOnServer tells whether helm has applied a revision by server-side apply. helm 4 applies a revision in the same way as the one before; helm 3
// never uses server-side apply.
func (k *Client) AppliedOnServer(ctx context.Context, namespace, release, revision string) (bool, error) {
	content, err := k.content(ctx, namespace, release, revision)
	return content.ApplyMethod == "ssa", err
}

// Chart returns the name and the version of a revision's chart, as helm get metadata does.
func (k *Client) Chart(ctx context.Context, namespace, release, revision string) (name, version string, err error) {
	content, err := k.content(ctx, namespace, release, revision)
	return content.Chart.Metadata.Name, content.Chart.Metadata.Version, err
}

// content is the part of a revision, as Helm keeps it, that the operator reads.
type content struct {
	Chart struct {
		Metadata struct{ Name, Version string }
	}
	Manifest    string
	hooks       []byte // their manifests
	Config      json.RawMessage
	ApplyMethod string `json:"apply_method"`
}

// content reads a revision's Secret, without the process that helm would cost. All versions of Helm that use Secrets store a revision as
// base64 of gzip of JSON.
func (k *Client) content(ctx context.Context, namespace, release, revision string) (content, error) {
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

// contentOf decodes a revision piece by piece, because it holds the whole chart, whose files may be very large once they are
// decompressed.
func contentOf(stored []byte) (c content, err error) {
	unzip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(stored)))
	if err != nil {
		return c, err
	}
	pieces := bounds.NewPieces(io.LimitReader(unzip, bounds.Release), maxPiece)
	err = pieces.Fields(func(name string) error {
		switch is := func(field string) bool { return strings.EqualFold(name, field) }; { // upper and lower case are the same, as in encoding/json
		case is("manifest"):
			return pieces.Decode(&c.Manifest)
		case is("config"):
			return pieces.Decode(&c.Config)
		case is("apply_method"):
			return pieces.Decode(&c.ApplyMethod)
		case is("chart"):
			return pieces.Fields(func(name string) error {
				if strings.EqualFold(name, "metadata") {
					return pieces.Decode(&c.Chart.Metadata)
				}
				return pieces.Skip()
			})
		case is("hooks"):
			return pieces.Items(func() error { return c.addHook(pieces) })
		}
		return pieces.Skip()
	})
	return c, err
}

// addHook reads the manifest of a hook.
func (c *content) addHook(pieces *bounds.Pieces) error {
	var manifest string
	err := pieces.Fields(func(name string) error {
		if !strings.EqualFold(name, "manifest") {
			return pieces.Skip()
		}
		return pieces.Decode(&manifest)
	})
	if err != nil || manifest == "" {
		return err
	}
	if len(c.hooks)+len(manifest) > bounds.Manifest {
		return fmt.Errorf("its hooks have more than %d bytes", bounds.Manifest)
	}
	c.hooks = fmt.Appendf(c.hooks, "---\n%s\n", manifest)
	return nil
}

// maxPiece is in bytes: a manifest as JSON, in which each quote and each line end takes two bytes.
const maxPiece = bounds.Manifest + bounds.Manifest/4
