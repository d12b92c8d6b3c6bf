package charts

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"octo-operator/bounds"
	"octo-operator/merge"
	"octo-operator/text"
)

// Chart is what the operator needs to know of a chart besides its archive.
type Chart struct {
	Version string // "" if it cannot be read; helm then says what is wrong with it
	Values  []byte // values.yaml
	Schema  []byte // values.schema.json
	// HooksAfter: the chart may have hooks that run after its pods are ready, for which helm itself must wait.
	HooksAfter bool
	LooksUp    bool              // a template may read the cluster
	references []schemaReference // in its schema and in those of its subcharts: those that lead out of the schema
}

var errUnpacksTooLarge = fmt.Errorf("it unpacks to more than %d MiB, which helm does not take either", bounds.Unpacked>>20)

// Read reads a chart from its archive, a file. It refuses what helm would refuse and what is dangerous: a file that is not a chart's
// archive, more or larger files than bounds allows, and names and links that lead out of the chart. It does not refuse schemas that refer
// elsewhere: Fetch does.
func Read(archive string) (Chart, error) {
	if info, err := os.Lstat(archive); err != nil {
		return Chart{}, err
	} else if !info.Mode().IsRegular() {
		return Chart{}, fmt.Errorf("it is no file, but %s", info.Mode().Type())
	} else if info.Size() > bounds.Unpacked {
		return Chart{}, fmt.Errorf("it has %d bytes, the limit is %d", info.Size(), bounds.Unpacked)
	}
	f, err := os.Open(archive)
	if err != nil {
		return Chart{}, err
	}
	defer f.Close()
	r := archiveReader{unpacked: bounds.Unpacked, schemas: newSchemaBudget()}
	if err := r.read(f, ""); err != nil {
		return r.chart, err
	}
	var meta struct {
		Version string `json:"version"`
	}
	err = merge.Decode("Chart.yaml", r.meta, &meta)
	if aVersion.MatchString(meta.Version) {
		r.chart.Version = meta.Version
	}
	return r.chart, err
}

// notAnArchive is the error for a file that cannot be unpacked.
func notAnArchive(err error) error { return fmt.Errorf("it is no archive of a chart: %w", err) }

// archiveReader reads a chart's archive, and the subcharts' archives in it.
type archiveReader struct {
	chart    Chart
	meta     []byte // Chart.yaml
	unpacked int64  // how many more bytes all files may have, by the sizes in the archives' headers, because a sparse file has almost no content there
	files    int    // number of all files
	schemas  schemaBudget
}

// maxArchives is how deep archives may be nested: people do pack charts into charts.
const maxArchives = 10

// read reads an archive. where is its name within the surrounding archives; "": it is the chart's own.
func (r *archiveReader) read(archive io.Reader, where string) error {
	unzipped, err := gzip.NewReader(archive)
	if err != nil {
		return notAnArchive(err)
	}
	unpacked := &io.LimitedReader{R: unzipped, N: bounds.Unpacked}
	err = r.readFiles(tar.NewReader(unpacked), where)
	if unpacked.N <= 0 { // the limit is exceeded, whatever err says
		err = errUnpacksTooLarge
	}
	return err
}

func (r *archiveReader) readFiles(files *tar.Reader, where string) error {
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return notAnArchive(err)
		}
		if r.files++; r.files > bounds.ChartFiles {
			return fmt.Errorf("it holds more than %d files", bounds.ChartFiles)
		}
		if err := checkEntry(header); err != nil {
			return err
		}
		if r.unpacked -= header.Size; header.Size > bounds.Unpacked || r.unpacked < 0 {
			return errUnpacksTooLarge
		}
		if err := r.readFile(header, files, where); err != nil {
			return err
		}
	}
}

// readFile reads a file if it is needed. Those at the top level, NAME/values.yaml, belong to the chart itself; of two with the same name
// the last one counts, as in helm.
func (r *archiveReader) readFile(header *tar.Header, content io.Reader, where string) (err error) {
	if header.FileInfo().IsDir() {
		return nil
	}
	name := nameInChart(header.Name)
	of, inSubchart := subchart(name)
	switch shown := where + name; {
	case where == "" && name == "Chart.yaml":
		r.meta, err = readFile(header.Name, content)
	case where == "" && name == "values.yaml":
		r.chart.Values, err = readFile(header.Name, content)
	case inSubchart == "values.schema.json":
		var schema []byte
		var references []schemaReference
		if schema, err = readFile(header.Name, content); err == nil {
			references, err = referencesOut(shown, schema, &r.schemas)
		}
		r.chart.references = append(r.chart.references, references...)
		if where == "" && of == "" {
			r.chart.Schema = schema
		}
	case isArchive(inSubchart):
		if strings.Count(shown, ".tgz/") >= maxArchives {
			return fmt.Errorf("it holds archives in archives, more than %d deep", maxArchives)
		}
		if err = r.read(content, shown+"/"); err != nil {
			err = fmt.Errorf("%.200q in it: %w", shown, err)
		}
	case strings.Contains("/"+name, "/templates/"): // also those of subcharts
		var template []byte
		template, err = readFile(header.Name, content)
		r.chart.LooksUp = r.chart.LooksUp || MayLookUp(template)
		r.chart.HooksAfter = r.chart.HooksAfter || hasHookAfter(template)
	}
	return err
}

// nameInChart returns a file's name without the chart's directory in the archive, computed as helm does: the directory of ./values.yaml
// is the dot, and on Windows some tools write NAME\values.yaml.
func nameInChart(name string) string {
	delimiter := "/"
	if strings.Contains(name, `\`) {
		delimiter = `\`
	}
	_, name, _ = strings.Cut(name, delimiter)
	return path.Clean(strings.ReplaceAll(name, delimiter, "/"))
}

// subchart splits a file's name into the directory of the innermost subchart that contains it, and its name there.
func subchart(name string) (of, in string) {
	in = name
	for {
		inside, ok := strings.CutPrefix(in, "charts/")
		if !ok {
			return of, in
		}
		_, rest, ok := strings.Cut(inside, "/")
		if !ok {
			return of, in
		}
		of, in = name[:len(name)-len(rest)], rest
	}
}

// isArchive tells whether a file is the archive of a subchart. helm ignores those whose names begin with _ or a dot.
func isArchive(name string) bool {
	name, inside := strings.CutPrefix(name, "charts/")
	return inside && path.Ext(name) == ".tgz" && !strings.Contains(name, "/") && strings.IndexAny(name, "_.") != 0
}

// checkEntry refuses, before helm sees them, entries that no chart needs: files that lead out of the archive's own folder, by their name
// or by a link, and special files. helm package creates nothing of the kind.
func checkEntry(header *tar.Header) error {
	name := strings.ReplaceAll(header.Name, `\`, "/") // as helm does
	switch {
	case len(name) > bounds.FileName:
		return fmt.Errorf("a name in it has %d bytes, the limit is %d: %.100q …: give the file a shorter name", len(name), bounds.FileName, name)
	case path.IsAbs(name), len(name) > 1 && name[1] == ':', slices.Contains(strings.Split(name, "/"), ".."):
		return fmt.Errorf("the name %.200q in it leads out of the chart: make the archive with helm package", header.Name)
	}
	switch header.Typeflag {
	case tar.TypeReg, tar.TypeDir, tar.TypeXGlobalHeader, tar.TypeGNUSparse, '\x00':
		return nil
	}
	return fmt.Errorf("%.200q in it is no file, but a link or a device: make the archive with helm package", header.Name)
}

// readFile reads one file of a chart, without a byte order mark.
func readFile(name string, content io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(content, bounds.ChartFile+1))
	if err != nil {
		return nil, notAnArchive(err)
	}
	if len(text) > bounds.ChartFile {
		return nil, fmt.Errorf("%.100s is larger than %d MiB", name, bounds.ChartFile>>20)
	}
	return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), nil // the mark of UTF-8, which helm removes too
}

// hasHookAfter tells whether a template may make a hook that runs after the pods are ready. The template is not rendered: if it only
// might have one, it counts, and helm waits for the chart.
func hasHookAfter(template []byte) bool {
	return bytes.Contains(template, []byte("helm.sh/hook")) &&
		(bytes.Contains(template, []byte("post-install")) || bytes.Contains(template, []byte("post-upgrade")))
}

var aVersion = text.NewPattern(`^v?[0-9][0-9A-Za-z.+-]{0,249}$`)

// MayLookUp tells whether a template, or values that a template may render, may read the cluster: directly (lookup), or in a text passed
// to tpl.
func MayLookUp(text []byte) bool {
	return bytes.Contains(text, []byte("lookup")) || bytes.Contains(text, []byte("tpl"))
}
