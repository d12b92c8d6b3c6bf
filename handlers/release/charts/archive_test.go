package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// file is a file in an archive. Its text is followed by so many zeros.
type file struct {
	name, text string
	zeros      int64
}

// archive writes a chart's archive and returns its path.
func archive(t *testing.T, files ...file) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "chart.tgz")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	zip, _ := gzip.NewWriterLevel(f, gzip.BestSpeed)
	tarred := tar.NewWriter(zip)
	for _, file := range files {
		header := &tar.Header{Name: file.name, Size: int64(len(file.text)) + file.zeros, Mode: 0o644}
		if err := tarred.WriteHeader(header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(tarred, io.MultiReader(strings.NewReader(file.text), io.LimitReader(zeros{}, file.zeros))); err != nil {
			t.Fatal(err)
		}
	}
	for _, err := range []error{tarred.Close(), zip.Close(), f.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return path
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestOfAnArchiveTheChartsOwnFilesCount(t *testing.T) {
	c, err := Read(archive(t,
		file{name: "app/charts/db/Chart.yaml", text: "version: 9.9.9"}, file{name: "app/charts/db/values.yaml", text: "no: 1"},
		file{name: "app/values.yaml", text: "first: 1"},
		file{name: "app/Chart.yaml", text: "name: app\nversion: 1.2.3-rc.1+build.7\n"},
		file{name: "app/values.yaml", text: "last: 1"}, // helm takes the last one too
		file{name: "./app/values.yaml", text: "no: 3"}, // to helm the dot is the archive's directory
		file{name: "app/values.schema.json", text: `{"type":"object"}`},
		file{name: "app/templates/values.yaml", text: "no: 2"},
	))
	if err != nil || c.Version != "1.2.3-rc.1+build.7" || string(c.Schema) != `{"type":"object"}` {
		t.Errorf("%+v, %v", c, err)
	}
	if string(c.Values) != "last: 1" {
		t.Errorf("values.yaml is %q", c.Values)
	}
}

func TestAVersionThatIsNoneIsNotKnown(t *testing.T) {
	for text, want := range map[string]string{
		"version: 1.10": "1.1", "version: '1.10'": "1.10", "VERSION: 1.2": "1.2", "version: 1\n---\nversion: 2": "1", "version: \"1\\n+ helm uninstall\"": "",
		"version: " + strings.Repeat("1", 5000): "", "name: x": "",
	} {
		c, err := Read(archive(t, file{name: "app/Chart.yaml", text: text}))
		if err != nil || c.Version != want {
			t.Errorf("%.40s: %q, %v", text, c.Version, err)
		}
	}
	_, err := Read(archive(t, file{name: "app/Chart.yaml", text: "version: [1]"}))
	if want := "cannot read Chart.yaml: a list does not fit in its field version"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// The archives are small, but their contents are not.
func TestAnArchiveThatWouldFillMemoryOrTimeIsRefused(t *testing.T) {
	bomb := func(aliases int) string {
		return "version: 1.0.0\na: &x " + strings.Repeat("y", 200_000) + "\nb: [" + strings.Repeat("*x,", aliases) + "]\n"
	}
	var many []file
	for i := range 10_001 {
		many = append(many, file{name: fmt.Sprintf("app/templates/%d", i)})
	}
	for _, test := range []struct {
		name  string
		files []file
		want  string
		mib   uint64
	}{
		{"Chart.yaml with 100,000 aliases of 200 KB", []file{{name: "app/Chart.yaml", text: bomb(100_000)}}, "cannot read Chart.yaml: it has 1000", 5},
		{"Chart.yaml with fewer aliases", []file{{name: "app/Chart.yaml", text: bomb(45_000)}}, "cannot read Chart.yaml: its aliases expand to more than", 60},
		{"Chart.yaml of 1,000,000 values", []file{{name: "app/Chart.yaml", text: "a: [" + strings.Repeat("1,", 1_000_000) + "]"}}, "cannot read Chart.yaml: it has 1000", 40},
		{"Chart.yaml of 6 MiB", []file{{name: "app/Chart.yaml", zeros: 6 << 20}}, "app/Chart.yaml is larger than 5 MiB", 40},
		{"values.yaml of 20 MiB", []file{{name: "app/values.yaml", zeros: 20 << 20}}, "app/values.yaml is larger than 5 MiB", 40},
		{"a file of 110 MiB", []file{{name: "app/x", zeros: 110 << 20}, {name: "app/Chart.yaml", text: "version: 1.0.0"}}, "it unpacks to more than 100 MiB", 40},
		{"files of 120 MiB together", []file{{name: "app/x", zeros: 60 << 20}, {name: "app/y", zeros: 60 << 20}, {name: "app/Chart.yaml"}}, "it unpacks to more than 100 MiB", 40},
		{"more files than a chart has", many, "it holds more than 10000 files", 40},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := archive(t, test.files...)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read(path)
			runtime.ReadMemStats(&after)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
			if mib := (after.TotalAlloc - before.TotalAlloc) >> 20; mib > test.mib {
				t.Errorf("it took %d MiB to find out", mib)
			}
		})
	}
}

// hole is a sparse file in the old format of GNU tar: it has a size but no content.
func hole(t *testing.T, name string, size int64) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Format: tar.FormatGNU}); err != nil {
		t.Fatal(err)
	}
	block := b.Bytes()[:512]
	block[156] = tar.TypeGNUSparse
	copy(block[386:], fmt.Sprintf("%011o\x00%011o\x00", size, 0)) // its only part: no bytes, at the end
	copy(block[483:], fmt.Sprintf("%011o\x00", size))
	copy(block[148:], "        ")
	sum := 0
	for _, c := range block {
		sum += int(c)
	}
	copy(block[148:], fmt.Sprintf("%06o\x00 ", sum))
	return block
}

func TestAnArchiveWhoseFilesAreHolesIsAsLargeAsTheyAre(t *testing.T) {
	var content []byte
	for i := range 30 {
		content = append(content, hole(t, fmt.Sprintf("app/templates/%d", i), 4<<20)...)
	}
	path := filepath.Join(t.TempDir(), "chart.tgz")
	if err := os.WriteFile(path, gzipped(t, append(content, make([]byte, 1024)...)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "it unpacks to more than 100 MiB") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoArchiveIsCalledSo(t *testing.T) {
	whole, err := os.ReadFile(archive(t, file{name: "app/Chart.yaml", text: "version: 1.0.0"}, file{name: "app/x", zeros: 1 << 20}))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string][]byte{
		"a page": []byte("<html>"), "nothing": nil, "cut off": whole[:len(whole)/2], "no tar": gzipped(t, []byte(strings.Repeat("no tar", 1000))),
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "it is no archive of a chart: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, 101<<20); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		dir: "it is no file", filepath.Join(dir, "gone"): "no such file", large: "it has 105906176 bytes",
	} {
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", path, err, want)
		}
	}
	if err := os.Symlink(large, filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(filepath.Join(dir, "link")); err == nil || !strings.Contains(err.Error(), "it is no file") {
		t.Errorf("a link: %v", err)
	}
}

func gzipped(t *testing.T, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	zip := gzip.NewWriter(&b)
	if _, err := zip.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatLeadsOutOfAChartIsRefusedAndWhatHelmPackageMakesIsNot(t *testing.T) {
	for _, test := range []struct {
		header tar.Header
		want   string // "": taken
	}{
		{tar.Header{Name: "app/templates/a.yaml", Typeflag: tar.TypeReg}, ""},
		{tar.Header{Name: "app/templates/", Typeflag: tar.TypeDir}, ""},
		{tar.Header{Name: "./app/..a/b..", Typeflag: tar.TypeReg}, ""},
		{tar.Header{Name: "pax_global_header", Typeflag: tar.TypeXGlobalHeader}, ""}, // of git archive
		{tar.Header{Name: "/etc/passwd", Typeflag: tar.TypeReg}, `the name "/etc/passwd" in it leads out of the chart: make the archive with helm package`},
		{tar.Header{Name: "app/../../env", Typeflag: tar.TypeReg}, "leads out of the chart"},
		{tar.Header{Name: `app\..\env`, Typeflag: tar.TypeReg}, "leads out of the chart"},
		{tar.Header{Name: `c:\env`, Typeflag: tar.TypeReg}, "leads out of the chart"},
		{tar.Header{Name: "app/values.yaml", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}, `"app/values.yaml" in it is no file, but a link or a device: make the archive with helm package`},
		{tar.Header{Name: "app/values.yaml", Linkname: "app/x", Typeflag: tar.TypeLink}, "is no file, but a link or a device"},
		{tar.Header{Name: "app/x", Typeflag: tar.TypeFifo}, "is no file, but a link or a device"},
		{tar.Header{Name: "app/x", Typeflag: tar.TypeChar}, "is no file, but a link or a device"},
		{tar.Header{Name: "app/" + strings.Repeat("x", 2000), Typeflag: tar.TypeReg}, "a name in it has 2004 bytes, the limit is 1024"},
	} {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		test.header.Mode = 0o644
		if test.header.Typeflag == tar.TypeXGlobalHeader {
			test.header = tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "abc"}}
		}
		if err := errors.Join(w.WriteHeader(&test.header), w.Close()); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "chart.tgz")
		if err := os.WriteFile(path, gzipped(t, b.Bytes()), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Read(path)
		if got := fmt.Sprint(err); test.want == "" && err != nil || test.want != "" && !strings.Contains(got, test.want) || len(got) > 400 {
			t.Errorf("%.50q: %s", test.header.Name, got)
		}
	}
}
