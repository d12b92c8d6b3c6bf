// Package repository knows what a chart repository offers. The index of one may have many MiB, and helm takes some hundred of
// memory to read it: here it is read once for all who wait for it, a piece at a time, and what is needed of it lies on disk.
package repository

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Entry is one version of a chart, as the index has it.
type Entry struct {
	Chart   string `json:"chart"`
	Version string `json:"version"`
	URL     string `json:"url,omitempty"`    // of the archive; may be relative to the repository's. "": the index has none
	Digest  string `json:"digest,omitempty"` // of the archive; "": the index has none. It may be none: see IsDigest
}

const (
	// maxIndex is larger than any public index (the largest had 25 MiB). helm would take 50 times as much memory.
	maxIndex = 64 << 20
	// maxPiece bounds what is in memory at a time: one version of a chart, whose annotations may hold a readme.
	maxPiece = 1 << 20
	// maxCharts bounds what is remembered to the end, the charts' names: those of 60 MiB of charts without versions take 700 MiB. Public
	// repositories have some hundred.
	maxCharts = 20_000
)

var (
	// ErrTooLarge is an index that nobody can read here, helm neither.
	ErrTooLarge   = errors.New("its index.yaml is too large")
	errTooLong    = fmt.Errorf("%w: it is larger than %d MiB, the limit", ErrTooLarge, maxIndex>>20)
	errManyCharts = fmt.Errorf("%w: it has more than %d charts, the limit", ErrTooLarge, maxCharts)
	// errUnusual is an index that cannot be taken apart: it is none, or in a form that repositories do not write, such as
	// with aliases from one version to another. Only a parser that holds it all can tell: see readWhole.
	errUnusual = errors.New("the index cannot be read a piece at a time")
)

// read reads an index, YAML or JSON, and calls each for every version of every chart, in the order of the index. Versions that
// helm leaves out too, because they have no name or no version, are left out. The error is each's, the reader's, errManyCharts or errUnusual.
func read(from io.Reader, each func(Entry) error) error {
	buffered := bufio.NewReaderSize(from, 64<<10)
	for {
		start, err := buffered.Peek(1)
		switch {
		case errors.Is(err, io.EOF):
			return unusual("it is empty")
		case err != nil:
			return err
		}
		switch start[0] {
		case ' ', '\t', '\r', '\n':
			_, _ = buffered.ReadByte()
			if start[0] != '\n' { // in YAML, the space before the first word counts
				return unusual("it begins with a blank")
			}
		case '{':
			return readJSON(buffered, each)
		default:
			return readYAML(buffered, each)
		}
	}
}

func unusual(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{errUnusual}, args...)...)
}

// item is what counts in a version of a chart.
type item struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Type    string   `json:"type"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

// entry is the item under the chart's name; false: helm leaves it out too.
func (i item) entry(chart string) (Entry, bool) {
	e := Entry{Chart: chart, Version: i.Version, Digest: digestOf(i.Digest)}
	if len(i.URLs) > 0 {
		e.URL = i.URLs[0] // helm takes no other
	}
	known := i.Type == "" || i.Type == "application" || i.Type == "library"
	return e, i.Name != "" && known && isVersion(i.Version)
}

// Resolve is an address that may be relative to the repository's, as helm has it: what is relative gets the repository's query.
func Resolve(repositoryURL, reference string) (*url.URL, error) {
	base, err := url.Parse(repositoryURL)
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(reference)
	if err != nil || address.IsAbs() {
		return address, err
	}
	query := base.RawQuery
	base.Path, base.RawPath = strings.TrimSuffix(base.Path, "/")+"/", strings.TrimSuffix(base.RawPath, "/")+"/"
	address = base.ResolveReference(address)
	address.RawQuery = query
	return address, nil
}
