package handlers

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"

	"octo-operator/bounds"
	"octo-operator/merge"
)

// chart is what the operator needs of a chart besides its archive.
type chart struct {
	version string // "" when it cannot be made out; helm says what is wrong with it
	values  []byte // values.yaml
	schema  []byte // values.schema.json
	// hooksAfter: the chart may have hooks that run after its pods are ready, for which helm itself must wait.
	hooksAfter bool
}

var errUnpacksTooLarge = fmt.Errorf("it unpacks to more than %d MiB, which helm does not take either", bounds.Unpacked>>20)

// readChart reads the version, the default values and the schema of a chart's archive.
func readChart(archive string) (chart, error) {
	if info, err := os.Lstat(archive); err != nil {
		return chart{}, err
	} else if !info.Mode().IsRegular() {
		return chart{}, fmt.Errorf("it is no file, but %s", info.Mode().Type())
	} else if info.Size() > bounds.Unpacked {
		return chart{}, fmt.Errorf("it has %d bytes, the limit is %d", info.Size(), bounds.Unpacked)
	}
	f, err := os.Open(archive)
	if err != nil {
		return chart{}, err
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		return chart{}, notAnArchive(err)
	}
	unpacked := &io.LimitedReader{R: unzipped, N: bounds.Unpacked}
	c, err := readFiles(tar.NewReader(unpacked))
	if unpacked.N <= 0 { // whatever the end looked like
		err = errUnpacksTooLarge
	}
	return c, err
}

func notAnArchive(err error) error { return fmt.Errorf("it is no archive of a chart: %w", err) }

func readFiles(files *tar.Reader) (chart, error) {
	var c chart
	var meta []byte
	unpacked := int64(0) // as the archive tells it: of a file that is a hole, only the size is there
	for count := 0; ; count++ {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return c, notAnArchive(err)
		}
		if count == bounds.ChartFiles {
			return c, fmt.Errorf("it holds more than %d files", bounds.ChartFiles)
		}
		if err := checkEntry(header); err != nil {
			return c, err
		}
		if unpacked += header.Size; header.Size > bounds.Unpacked || unpacked > bounds.Unpacked {
			return c, errUnpacksTooLarge
		}
		// Those at the chart's top level, NAME/values.yaml, not those of its subcharts. Of two the last one counts, as in helm.
		switch _, name, _ := strings.Cut(path.Clean(header.Name), "/"); {
		case name == "Chart.yaml":
			meta, err = readFile(header.Name, files)
		case name == "values.yaml":
			c.values, err = readFile(header.Name, files)
		case name == "values.schema.json":
			c.schema, err = readFile(header.Name, files)
		case strings.Contains("/"+name, "/templates/"): // its subcharts' too
			var template []byte
			template, err = readFile(header.Name, files)
			c.hooksAfter = c.hooksAfter || bytes.Contains(template, []byte("helm.sh/hook")) && hookAfter.Match(template)
		}
		if err != nil {
			return c, err
		}
	}
	fields, err := merge.Parse("Chart.yaml", meta)
	if text := fmt.Sprint(fields["version"]); aVersion.MatchString(text) {
		c.version = text
	}
	return c, err
}

// checkEntry refuses what no chart needs, before helm sees it: files elsewhere than in the archive's own folder, by their name or by a
// link, and what is no file. helm package makes nothing of the kind.
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

func readFile(name string, content io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(content, bounds.ChartFile+1))
	if err != nil {
		return nil, notAnArchive(err)
	}
	if len(text) > bounds.ChartFile {
		return nil, fmt.Errorf("%.100s is larger than %d MiB", name, bounds.ChartFile>>20)
	}
	return text, nil
}

// hookAfter is what makes a hook one that comes after the pods. The template is not rendered: a chart that only might have one
// counts, and is waited for by helm.
var hookAfter = regexp.MustCompile(`post-(install|upgrade)`)

var aVersion = regexp.MustCompile(`^v?[0-9][0-9A-Za-z.+-]{0,249}$`)
