package repository

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/Masterminds/semver/v3"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"oras.land/oras-go/v2/content"
	"oras.land/oras-go/v2/errdef"
	"oras.land/oras-go/v2/registry/remote"
	"oras.land/oras-go/v2/registry/remote/auth"
)

// Media types of what helm pushes to a registry.
const (
	chartConfig      = "application/vnd.cncf.helm.config.v1+json"
	chartLayer       = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
	legacyChartLayer = "application/tar+gzip"
)

const (
	maxManifest = 4 << 20 // bytes; a manifest has some hundred
	maxTagPages = 200
	maxTags     = 50_000
	maxImages   = 20 // images of an index that are looked at
)

// Pull gets a chart from an oci:// registry and writes its archive to file, which must not exist yet. version may be empty (the newest)
// or a range, as in helm. reference is the chart's own address, oci://host/path, with or without the version as its tag. Of the source
// only the credentials are used: they are sent to the reference's host and to the token service that it names. The error is a
// *RefusedError, a *DigestError, or has helm's words for what happened, so that one table explains the errors of both. After an error,
// file may be incomplete.
func (a *Archives) Pull(ctx context.Context, from Source, reference, version, file string) (Archive, error) {
	repository, err := a.repository(from, reference)
	if err != nil {
		return Archive{}, err
	}
	tag := repository.Reference.Reference
	if tag == "" {
		if tag, err = findTag(ctx, repository, version); err != nil {
			return Archive{}, err
		}
	}
	layer, err := findLayer(ctx, repository, tag)
	if err != nil {
		return Archive{}, err
	}
	if layer.Size > maxArchive {
		return Archive{}, tooLarge(layer.Size)
	}
	if err := layer.Digest.Validate(); err != nil {
		return Archive{}, fmt.Errorf("the registry names the archive by the digest %.100q: %w", layer.Digest, err)
	}
	blob, err := repository.Blobs().Fetch(ctx, layer)
	if err != nil {
		return Archive{}, err
	}
	defer blob.Close()
	sum, digester := sha256.New(), layer.Digest.Algorithm().Digester()
	bytes, err := write(io.TeeReader(blob, digester.Hash()), file, sum)
	if got := digester.Digest(); err == nil && got != layer.Digest {
		err = &DigestError{Got: got.Encoded(), Want: layer.Digest.Encoded(), In: "manifest"}
	}
	return Archive{bytes, hex.EncodeToString(sum.Sum(nil))}, err
}

func (a *Archives) repository(from Source, reference string) (*remote.Repository, error) {
	address, err := url.Parse(reference)
	if err != nil {
		return nil, err
	}
	path, tag, tagged := cutTag(address.Path)
	if tagged {
		path += ":" + asTag(tag)
	}
	repository, err := remote.NewRepository(address.Host + path)
	if err != nil {
		return nil, err
	}
	client := &auth.Client{Client: a.http, Cache: auth.NewCache(), BlockedRealmPrefixes: []netip.Prefix{}} // none: a.http keeps stricter rules
	if from.Username != "" || from.Password != "" {
		client.Credential = auth.StaticCredential(repository.Reference.Registry, auth.Credential{Username: from.Username, Password: from.Password})
	}
	repository.Client, repository.PlainHTTP, repository.TagListMaxPages = client, a.rules.PlainHTTP, maxTagPages
	return repository, nil
}

func cutTag(path string) (before, tag string, tagged bool) {
	at := strings.LastIndex(path, ":")
	if at < strings.LastIndex(path, "/") || strings.Contains(path, "@") {
		return path, "", false
	}
	return path[:max(at, 0)], path[at+1:], at >= 0
}

// asTag returns a version as a registry's tag, in which a plus is not allowed.
func asTag(version string) string { return strings.ReplaceAll(version, "+", "_") }

// findTag returns the tag of a version. A complete version is its own tag; for a range the registry's tags are listed.
func findTag(ctx context.Context, repository *remote.Repository, version string) (string, error) {
	if isVersion(version) {
		return asTag(version), nil
	}
	newest, count := newChoice(version), 0
	err := repository.Tags(ctx, "", func(tags []string) error {
		if count += len(tags); count > maxTags {
			return refused("the registry has more than %d versions of the chart: name a chartVersion", maxTags)
		}
		for _, tag := range tags {
			text := strings.ReplaceAll(tag, "_", "+")
			if _, err := semver.StrictNewVersion(text); err == nil {
				newest.offer(Entry{Version: text})
			}
		}
		return nil
	})
	if err == nil && !newest.ok() {
		err = fmt.Errorf("could not locate a version matching provided version string %s", version)
	}
	return asTag(newest.found.Version), err
}

// findLayer returns the layer with the chart's archive for a tag, which stands for an image that helm has made or for an index that
// contains one.
func findLayer(ctx context.Context, repository *remote.Repository, tag string) (v1.Descriptor, error) {
	kind, manifest, err := fetchManifest(ctx, repository, tag)
	if err != nil {
		return v1.Descriptor{}, err
	}
	if kind == v1.MediaTypeImageIndex {
		var index v1.Index
		if err := json.Unmarshal(manifest, &index); err != nil {
			return v1.Descriptor{}, fmt.Errorf("failed to decode response: %w", err)
		}
		for _, image := range index.Manifests[:min(len(index.Manifests), maxImages)] {
			if image.MediaType != v1.MediaTypeImageManifest {
				continue
			}
			if _, manifest, err = fetchManifest(ctx, repository, image.Digest.String()); err != nil {
				return v1.Descriptor{}, err
			}
			if layer, err := layerOf(manifest); err == nil {
				return layer, nil
			}
		}
	}
	return layerOf(manifest)
}

func layerOf(manifest []byte) (v1.Descriptor, error) {
	var image v1.Manifest
	if err := json.Unmarshal(manifest, &image); err != nil {
		return v1.Descriptor{}, fmt.Errorf("failed to decode response: %w", err)
	}
	if image.Config.MediaType != chartConfig {
		return v1.Descriptor{}, fmt.Errorf("could not load config with mediatype %s", chartConfig)
	}
	at := slices.IndexFunc(image.Layers, func(d v1.Descriptor) bool { return d.MediaType == chartLayer || d.MediaType == legacyChartLayer })
	if at < 0 {
		return v1.Descriptor{}, fmt.Errorf("manifest does not contain a layer with mediatype %s", chartLayer)
	}
	return image.Layers[at], nil
}

func fetchManifest(ctx context.Context, repository *remote.Repository, tag string) (kind string, text []byte, err error) {
	described, body, err := repository.FetchReference(ctx, tag)
	if err != nil {
		if errors.Is(err, errdef.ErrNotFound) {
			return "", nil, fmt.Errorf(`failed to perform "FetchReference" on source: %w`, err)
		}
		return "", nil, err
	}
	defer body.Close()
	if described.Size > maxManifest {
		return "", nil, refused("what the registry says of the chart has %d bytes, the limit is %d", described.Size, maxManifest)
	}
	text, err = content.ReadAll(body, described)
	return described.MediaType, text, err
}

// Reference returns the address of a chart in an oci:// registry.
func Reference(registryURL, chart string) string { return joined(Shown(registryURL), chart) }
