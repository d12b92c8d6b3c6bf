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

	"octo-operator/bounds"
)

// A chart's archive comes from anywhere. It is fuzzed as a tar, which gzip's checksum would keep the fuzzer away from, and as it is.
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
	f.Fuzz(func(t *testing.T, content []byte) {
		var zipped bytes.Buffer
		zip := gzip.NewWriter(&zipped)
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

// Whatever else stands in a schema, what leads out of it is found.
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
