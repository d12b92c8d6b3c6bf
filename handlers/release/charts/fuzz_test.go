package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"octo-operator/bounds"
)

// A chart's archive may come from anywhere. It is fuzzed as a tar, because with gzip's checksum most changes would be refused, and as a file.
func FuzzReadChart(f *testing.F) {
	var plain bytes.Buffer
	out := tar.NewWriter(&plain)
	for _, entry := range []tar.Header{
		{Name: "app/Chart.yaml", Size: 15}, {Name: "app/values.yaml", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"},
		{Name: "../../x", Size: 1}, {Name: "app/templates/a.yaml", Size: 28}, {Name: "app/values.schema.json", Size: 2},
	} {
		_ = out.WriteHeader(&entry)
		_, _ = out.Write([]byte("version: 1.0.0\nhelm.sh/hook")[:min(entry.Size, 27)])
	}
	_ = out.Close()
	f.Add(plain.Bytes())
	f.Add([]byte{})
	f.Add([]byte("\x1f\x8b\x08\x00\x00\x00\x00\x00"))
	path := filepath.Join(f.TempDir(), "chart.tgz")
	zip := gzip.NewWriter(nil) // a new one for each input would take most of the time
	f.Fuzz(func(t *testing.T, content []byte) {
		var zipped bytes.Buffer
		zip.Reset(&zipped)
		_, _ = zip.Write(content)
		_ = zip.Close()
		for _, archive := range [][]byte{content, zipped.Bytes()} {
			if err := os.WriteFile(path, archive, 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := Read(path)
			if err == nil && c.Version != "" && !aVersion.MatchString(c.Version) {
				t.Errorf("its version is %q", c.Version)
			}
			if len(c.Values) > bounds.ChartFile || len(c.Schema) > bounds.ChartFile {
				t.Errorf("it has files of %d and %d bytes", len(c.Values), len(c.Schema))
			}
		}
	})
}

// FuzzFilesOfAChart: Chart.yaml is read as helm reads it, and no file leads out of the chart. The fuzzer changes single files, because in an archive
// with the checksums of tar most changes would be refused.
func FuzzFilesOfAChart(f *testing.F) {
	f.Add("version: 1.0.0", "app/values.yaml", "a: b")
	f.Add("Version: 1.10\nversion: null\n---\nversion: 3", "./app/../../x", "")
	f.Add("%YAML 1.1\n---\nversion: &v 0x10\nver\u017fion: *v", `app\templates\a.yaml`, `{{ lookup "v1" "Secret" "a" "b" }}`)
	f.Add("version: \"1.0.0\\n+ helm\"", "app/charts/db/values.schema.json", `{"$ref":"http://a/b"}`)
	f.Add("version: [1]", "/etc/passwd", "x")
	path, zip := filepath.Join(f.TempDir(), "chart.tgz"), gzip.NewWriter(nil)
	f.Fuzz(func(t *testing.T, meta, name, text string) {
		var packed bytes.Buffer
		zip.Reset(&packed)
		files := tar.NewWriter(zip)
		for _, file := range [][2]string{{name, text}, {"app/Chart.yaml", meta}} {
			if files.WriteHeader(&tar.Header{Name: file[0], Size: int64(len(file[1])), Mode: 0o644, Typeflag: tar.TypeReg}) != nil {
				return
			}
			_, _ = files.Write([]byte(file[1]))
		}
		_, _ = files.Close(), zip.Close()
		if err := os.WriteFile(path, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := Read(path)
		if slashed := strings.ReplaceAll(name, `\`, "/"); err == nil && slashed != "" && !filepath.IsLocal(slashed) {
			t.Errorf("%q is taken", name)
		}
		var helms struct {
			Version string `json:"version"`
		}
		if err != nil || yaml.Unmarshal(bytes.TrimPrefix([]byte(meta), []byte("\xef\xbb\xbf")), &helms) != nil {
			return
		}
		if c.Version != helms.Version && (c.Version != "" || aVersion.MatchString(helms.Version)) {
			t.Errorf("of %q came the version %q, helm reads %q", meta, c.Version, helms.Version)
		}
		if strings.HasPrefix(name, "app/templates/") && filepath.Clean(name) == name && strings.Contains(text, "lookup") && !c.LooksUp {
			t.Errorf("%s may look up: %s", name, text)
		}
	})
}

// Whatever else a schema contains, references that lead out of it are found.
func FuzzReferencesOut(f *testing.F) {
	for _, test := range schemaCases(f) {
		f.Add(test.Schema)
	}
	const elsewhere = "http://inside.example/a.json"
	f.Fuzz(func(t *testing.T, schema string) {
		left := newSchemaBudget()
		_, _ = referencesOut("values.schema.json", []byte(schema), &left)
		if !json.Valid([]byte(schema)) {
			return
		}
		for _, around := range []string{
			`{"properties":{"a":%s,"b":{"$ref":"` + elsewhere + `"}}}`, `{"allOf":[%s,{"$schema":"` + elsewhere + `"}]}`,
			`{"$ref":"#/default/b","default":{"a":%s,"b":{"$dynamicRef":"` + elsewhere + `#x"}}}`,
		} {
			left := newSchemaBudget()
			found, err := referencesOut("values.schema.json", []byte(strings.Replace(around, "%s", schema, 1)), &left)
			if err == nil && !slices.ContainsFunc(found, func(r schemaReference) bool { return r.address == elsewhere && r.web }) {
				t.Errorf("in %s of %q only %+v is found", around, schema, found)
			}
		}
	})
}
