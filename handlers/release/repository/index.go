// Package repository finds and downloads charts, from repositories over HTTP and from OCI registries. It knows which repositories may be
// used (Rules), which version of a chart is meant and where its archive is (Indexes), and downloads the archive (Archives). An index may
// have many MiB, and helm takes some hundred MiB of memory to read one. Here it is read once for all who ask at the same time, a piece at
// a time, and the part that is needed is kept on disk.
//
//	rules := repository.Rules{Allowed: allowed}
//	rules.Guard(client, transport)
//	found, err := repository.NewIndexes(dir, client).Find(ctx, source, chart, version, time.Now())
//	archive, err := repository.NewArchives(client, rules).Download(ctx, source, address, file)
package repository

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// Entry is one version of a chart in an index.
type Entry struct {
	Chart   string `json:"chart"`
	Version string `json:"version"`
	URL     string `json:"url,omitempty"`    // of the archive; may be relative to the repository's URL, see Resolve; "": the index has none
	Digest  string `json:"digest,omitempty"` // of the archive; "": the index has none; check with IsDigest whether it is one
}

const (
	// maxIndex is in bytes and larger than any public index: the largest had 25 MiB. helm would take 50 times as much memory.
	maxIndex = 64 << 20
	// maxPiece is how many bytes of the index are in memory at a time: one version of a chart, whose annotations may hold a readme.
	maxPiece = 1 << 20
	// maxCharts bounds the charts' names, which are kept in memory to the end of the index. The names in 60 MiB of charts without
	// versions would take 700 MiB. Public repositories have some hundred charts.
	maxCharts = 20_000
)

var (
	// ErrTooLarge means that the index exceeds the limits. helm could not read it either.
	ErrTooLarge   = errors.New("its index.yaml is too large")
	errTooLong    = fmt.Errorf("%w: it is larger than %d MiB, the limit", ErrTooLarge, maxIndex>>20)
	errManyCharts = fmt.Errorf("%w: it has more than %d charts, the limit", ErrTooLarge, maxCharts)
	// errUnusual means that the index cannot be read in pieces: it is no index, or has a form that programs do not write, for example
	// aliases between versions. Only a parser that holds all of it can tell: see readWhole.
	errUnusual = errors.New("the index cannot be read a piece at a time")
)

// read reads an index, YAML or JSON, and calls each for every version of every chart, in the order of the index. It leaves out versions
// that helm leaves out too, such as those without a name or a version. The error is that of each or of the reader, errManyCharts or
// errUnusual.
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

// item holds the fields of a version in an index that are used.
type item struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Type    string   `json:"type"`
	URLs    []string `json:"urls"`
	Digest  string   `json:"digest"`
}

// entry returns the item as a version of chart; false: helm leaves it out too.
func (i item) entry(chart string) (Entry, bool) {
	e := Entry{Chart: chart, Version: i.Version, Digest: digestOf(i.Digest)}
	if len(i.URLs) > 0 {
		e.URL = i.URLs[0] // helm uses only the first
	}
	known := i.Type == "" || i.Type == "application" || i.Type == "library"
	return e, i.Name != "" && known && isVersion(i.Version)
}

// Resolve returns the absolute form of an address that may be relative to the repository's URL. As in helm, a relative one gets the
// repository's query.
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
