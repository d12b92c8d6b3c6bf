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
	"strings"

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

// The limits of an archive, which anybody may have made: one of a few hundred KB can stand for 64 GiB. helm takes no chart
// beyond 100 MiB either, helm 3 no file beyond 5 MiB; the largest public charts have some hundred files.
const (
	maxUnpacked   = 100 << 20
	maxChartFile  = 5 << 20
	maxChartFiles = 10_000
)

var errUnpacksTooLarge = fmt.Errorf("it unpacks to more than %d MiB, which helm does not take either", maxUnpacked>>20)

// readChart reads the version, the default values and the schema of a chart's archive.
func readChart(archive string) (chart, error) {
	if info, err := os.Lstat(archive); err != nil {
		return chart{}, err
	} else if !info.Mode().IsRegular() {
		return chart{}, fmt.Errorf("it is no file, but %s", info.Mode().Type())
	} else if info.Size() > maxUnpacked {
		return chart{}, fmt.Errorf("it has %d bytes, the limit is %d", info.Size(), maxUnpacked)
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
	unpacked := &io.LimitedReader{R: unzipped, N: maxUnpacked}
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
		if count == maxChartFiles {
			return c, fmt.Errorf("it holds more than %d files", maxChartFiles)
		}
		if unpacked += header.Size; header.Size > maxUnpacked || unpacked > maxUnpacked {
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

func readFile(name string, content io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(content, maxChartFile+1))
	if err != nil {
		return nil, notAnArchive(err)
	}
	if len(text) > maxChartFile {
		return nil, fmt.Errorf("%.100s is larger than %d MiB", name, maxChartFile>>20)
	}
	return text, nil
}

// hookAfter is what makes a hook one that comes after the pods. The template is not rendered: a chart that only might have one
// counts, and is waited for by helm.
var hookAfter = regexp.MustCompile(`post-(install|upgrade)`)

var aVersion = regexp.MustCompile(`^v?[0-9][0-9A-Za-z.+-]{0,249}$`)
