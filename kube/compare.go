package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// Declared is an object of a manifest, with the document it stands in. Its content is parsed when it is asked for, so that a large manifest is in
// memory as text alone.
type Declared struct {
	Object
	document []byte
}

// Declare returns the objects of a rendered manifest, as Objects does, with their documents.
func Declare(manifest []byte, namespace string) ([]Declared, error) {
	var all []Declared
	r := manifestReader{namespace: namespace}
	err := eachDocument(manifest, "read", func(document []byte) error {
		before := len(r.objects)
		if err := r.read(document); err != nil {
			return err
		}
		for _, o := range r.objects[before:] {
			all = append(all, Declared{o, document})
		}
		return nil
	})
	return all, err
}

// Content returns the object as the API server would read it.
func (d Declared) Content() (map[string]any, error) {
	var found map[string]any
	text, err := yaml.YAMLToJSON(d.document)
	if err == nil {
		err = json.Unmarshal(text, &found)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read what the manifest says of %s: %w", d.Object, err)
	}
	if items, is := found["items"].([]any); is && !d.is(found) {
		for _, item := range items {
			if object, is := item.(map[string]any); is && d.is(object) {
				return object, nil
			}
		}
	}
	if !d.is(found) {
		return nil, fmt.Errorf("cannot read what the manifest says of %s", d.Object)
	}
	return found, nil
}

// is tells whether an object is the one that the manifest names.
func (d Declared) is(object map[string]any) bool {
	metadata, _ := object["metadata"].(map[string]any)
	return object["kind"] == d.Kind && object["apiVersion"] == d.APIVersion && metadata["name"] == d.Name
}

// Compared is an object as it is in the cluster, and as it would be after applying (by a dry run).
type Compared struct {
	Namespace  string         // "": its kind has none
	Live, Made map[string]any // nil: the object is not there, before or after
}

// Compare reads an object, and applies content to it as a dry run with a field manager, forcing conflicts. content nil: the object would be
// removed. If the object does not exist, it would be created as content says, and no dry run is made. Nothing is changed. An error that is not
// ErrUnreachable is about this object alone.
func (k *Client) Compare(ctx context.Context, o Object, content map[string]any, manager string) (c Compared, err error) {
	name, found, err := k.resource(ctx, o)
	if err == nil && !found {
		err = fmt.Errorf("the cluster does not say whether it has the kind %s of %s", o.Kind, o.APIVersion)
	}
	if err != nil {
		return c, err
	}
	if name.namespaced {
		c.Namespace = o.Namespace
	}
	path := o.path(name)
	if c.Live, err = k.whole(ctx, request{method: http.MethodGet, path: path}); NotFound(err) {
		c.Made = content
		return c, nil
	}
	if err != nil || content == nil {
		return c, err
	}
	body, err := json.Marshal(content)
	if err != nil {
		return c, fmt.Errorf("cannot send %s: %w", o, err)
	}
	c.Made, err = k.whole(ctx, request{method: http.MethodPatch, path: dryRunPath(path, manager), body: Patch{applyPatch, body}})
	return c, err
}

// dryRunPath returns the path for applying an object as a dry run with a field manager, forcing conflicts.
func dryRunPath(path, manager string) string {
	return path + "?" + url.Values{"fieldManager": {manager}, "force": {"true"}, "dryRun": {"All"}}.Encode()
}

// whole sends a request and returns the object in the answer. It is an error if the object exceeds the bounds for objects that are compared.
func (k *Client) whole(ctx context.Context, r request) (object map[string]any, err error) {
	r.longest = bounds.ComparedObject
	var text json.RawMessage
	if err = k.do(ctx, r, &text); err != nil {
		return nil, err
	}
	if err = bounds.JSON(text, bounds.ComparedValues); err != nil {
		return nil, fmt.Errorf("it is too large to be compared: %w", err)
	}
	return object, json.Unmarshal(text, &object)
}
