package repository

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// state is what a repository says of its index, so that it can be asked whether that is still the same. Both may be empty.
type state struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	// Unusual is why only helm can read the index; "": the entries follow.
	Unusual string `json:"unusual,omitempty"`
}

// maxState bounds what is kept and sent back of a repository's answer; an ETag has some ten characters.
const maxState = 1000

func (s state) known() bool { return s.ETag+s.Modified != "" }

// keep reads an index and writes what counts of it to a file, a line of JSON for each version: first the state.
func keep(index io.Reader, s state, file string) (state, error) {
	half, err := os.CreateTemp(filepath.Dir(file), "half-*")
	if err != nil {
		return s, err
	}
	defer os.Remove(half.Name())
	defer half.Close()
	if err := writeEntries(half, index, s); errors.Is(err, errUnusual) {
		s.Unusual = err.Error()
		if err := half.Truncate(0); err != nil {
			return s, err
		}
		if _, err := half.Seek(0, io.SeekStart); err != nil {
			return s, err
		}
		if err := json.NewEncoder(half).Encode(s); err != nil {
			return s, err
		}
	} else if err != nil {
		return s, err
	}
	return s, errors.Join(half.Close(), os.Rename(half.Name(), file))
}

func writeEntries(to io.Writer, index io.Reader, s state) error {
	buffered := bufio.NewWriter(to)
	encode := json.NewEncoder(buffered)
	if err := encode.Encode(s); err != nil {
		return err
	}
	if err := read(index, func(e Entry) error { return encode.Encode(e) }); err != nil {
		return err
	}
	return buffered.Flush()
}

// readState is what a file says of the index that it was made of.
func readState(file string) (s state, err error) {
	f, err := os.Open(file)
	if err != nil {
		return s, err
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &s)
	}
	return s, err
}

// choose looks for a chart's version in a file. chart: there are versions of the chart at all.
func choose(file, chart, version string) (found *choice, hasChart bool, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	name, err := json.Marshal(chart)
	if err != nil {
		return nil, false, err
	}
	start := fmt.Appendf(nil, `{"chart":%s,`, name)
	found = newChoice(version)
	lines := bufio.NewReaderSize(f, 64<<10)
	for {
		line, err := lines.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			var rest []byte
			line = bytes.Clone(line)
			rest, err = lines.ReadBytes('\n')
			line = append(line, rest...)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return found, hasChart, err
		}
		if !bytes.HasPrefix(line, start) {
			continue
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, false, fmt.Errorf("cannot read %s: %w", file, err)
		}
		hasChart = true
		found.offer(e)
	}
}
