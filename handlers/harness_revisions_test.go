package handlers_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"sigs.k8s.io/yaml"
)

// revision is a Secret of Helm's.
type revision struct {
	Name, Namespace string
	Number          int
	Status          string
	Labels          map[string]string // besides Helm's own
	Content         content
}

// content is what is in it, of which the operator reads the manifest, the user's values, and what the chart is.
type content struct {
	Manifest string // of Objects, but for hooks
	Hooks    []hook `json:"hooks"` // of Objects
	Made     struct {
		Metadata struct{ Name, Version string } // Chart, Version
	} `json:"chart"`

	Chart       string `json:"chart_name"`
	Version     string
	Description string
	Values      object `json:"config"` // the user's
	Objects     []object
	ApplyMethod string `json:"apply_method"` // of helm 4: ssa, on the server's side, or csa
}

// hook is one of a revision's, beside what it applies.
type hook struct {
	Manifest string `json:"manifest"`
}

func (v revision) path() string {
	return fmt.Sprintf("/api/v1/namespaces/%s/secrets/sh.helm.release.v1.%s.v%d", v.Namespace, v.Name, v.Number)
}

func (v revision) secret() object {
	labels := object{"name": v.Name, "owner": "helm", "status": v.Status, "version": strconv.Itoa(v.Number)}
	for key, value := range v.Labels {
		labels[key] = value
	}
	return object{
		"apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
		"metadata": object{"name": path.Base(v.path()), "namespace": v.Namespace, "labels": labels},
		"data":     object{"release": v.Content.pack()},
	}
}

// pack is Helm's own encoding.
func (c content) pack() []byte {
	c.Manifest, c.Hooks, c.Made.Metadata.Name, c.Made.Metadata.Version = "", nil, c.Chart, c.Version
	for _, o := range c.Objects {
		text, err := yaml.Marshal(o)
		if err != nil {
			panic(err)
		}
		if isHook(o) {
			c.Hooks = append(c.Hooks, hook{string(text)})
			continue
		}
		c.Manifest += "---\n" + string(text)
	}
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	if err := errors.Join(json.NewEncoder(zip).Encode(c), zip.Close()); err != nil {
		panic(err)
	}
	return []byte(base64.StdEncoding.EncodeToString(packed.Bytes()))
}

func isHook(o object) bool {
	metadata, _ := o["metadata"].(object)
	annotations, _ := metadata["annotations"].(object)
	return annotations["helm.sh/hook"] != nil
}

func (c *content) unpack(packed []byte) error {
	zip, err := gzip.NewReader(base64.NewDecoder(base64.StdEncoding, bytes.NewReader(packed)))
	if err != nil {
		return err
	}
	return json.NewDecoder(zip).Decode(c)
}

// put stores a revision, as helm does.
func (k *cluster) putRevision(v revision) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.set(v.path(), clone(v.secret()), "Helm")
}

// revisions are those of a release, oldest first.
func (k *cluster) revisions(namespace, name string) []revision {
	var all []revision
	prefix := "/api/v1/namespaces/" + namespace + "/secrets/sh.helm.release.v1." + name + ".v"
	for _, at := range k.paths(prefix) {
		var secret struct {
			Metadata struct{ Labels map[string]string }
			Data     struct{ Release []byte }
		}
		text, _ := json.Marshal(k.get(at))
		v := revision{Name: name, Namespace: namespace, Labels: map[string]string{}}
		if json.Unmarshal(text, &secret) != nil || v.Content.unpack(secret.Data.Release) != nil {
			continue
		}
		for key, value := range secret.Metadata.Labels {
			switch key {
			case "status":
				v.Status = value
			case "version":
				v.Number, _ = strconv.Atoi(value)
			case "name", "owner":
			default:
				v.Labels[key] = value
			}
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b revision) int { return a.Number - b.Number })
	return all
}

// history tells a release's revisions shortly: "1 superseded, 2 deployed".
func (k *cluster) releaseHistory(namespace, name string) string {
	var told []string
	for _, v := range k.revisions(namespace, name) {
		told = append(told, fmt.Sprintf("%d %s", v.Number, v.Status))
	}
	return strings.Join(told, ", ")
}

func newest(all []revision) revision {
	if len(all) == 0 {
		return revision{}
	}
	return all[len(all)-1]
}
