package handlers_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	"sigs.k8s.io/yaml"
)

// shelf is what every chart repository has: archives by the chart's name and version.
type shelf struct {
	mu     sync.Mutex
	charts map[string]map[string][]byte
}

// newShelf has chart demo 1.2.3.
func newShelf() *shelf {
	s := &shelf{charts: map[string]map[string][]byte{}}
	s.add("demo", "1.2.3", nil)
	return s
}

const demoValues = `replicaCount: 1
image:
  repository: demo/app
  tag: "1.0"
port: 8080
ingress:
  enabled: false
`

// add publishes a chart. files come over the demo chart's Chart.yaml and values.yaml.
func (s *shelf) add(name, version string, files map[string]string) {
	all := map[string]string{
		"Chart.yaml":  fmt.Sprintf("apiVersion: v2\nname: %s\nversion: %s\n", name, version),
		"values.yaml": demoValues,
	}
	maps.Copy(all, files)
	s.addArchive(name, version, archive(name, all))
}

func (s *shelf) addArchive(name, version string, content []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.charts[name] == nil {
		s.charts[name] = map[string][]byte{}
	}
	s.charts[name][version] = content
}

// get returns a chart, the newest for an empty version; nil: there is none.
func (s *shelf) get(name, version string) (content []byte, found string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := s.charts[path.Base(name)]
	if version == "" && len(versions) > 0 {
		version = slices.Max(slices.Collect(maps.Keys(versions))) // of one digit each, in the tests
	}
	return versions[version], version
}

// archive is a chart as helm pull leaves it.
func archive(name string, files map[string]string) []byte {
	var packed bytes.Buffer
	zip := gzip.NewWriter(&packed)
	out := tar.NewWriter(zip)
	for _, file := range slices.Sorted(maps.Keys(files)) {
		err := out.WriteHeader(&tar.Header{Name: name + "/" + file, Mode: 0o644, Size: int64(len(files[file]))})
		if err == nil {
			_, err = out.Write([]byte(files[file]))
		}
		if err != nil {
			panic(err)
		}
	}
	if err := out.Close(); err != nil {
		panic(err)
	}
	if err := zip.Close(); err != nil {
		panic(err)
	}
	return packed.Bytes()
}

// unpacked are a chart's files at its top level.
func unpacked(content []byte) (map[string]string, error) {
	zip, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for in := tar.NewReader(zip); ; {
		header, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		_, file, _ := strings.Cut(header.Name, "/")
		files[file] = string(text)
	}
}

// chartMeta is Chart.yaml.
type chartMeta struct{ Name, Version string }

// chartOf reads the archive that helm was given, with its default values.
func chartOf(content []byte) (meta chartMeta, values object, err error) {
	files, err := unpacked(content)
	if err == nil {
		err = yaml.Unmarshal([]byte(files["Chart.yaml"]), &meta)
	}
	if err == nil {
		err = yaml.Unmarshal([]byte(files["values.yaml"]), &values)
	}
	return meta, values, err
}
