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

// state is what a repository says about the version of its index, for conditional requests. Both may be empty.
type state struct {
	ETag     string `json:"etag,omitempty"`
	Modified string `json:"modified,omitempty"`
	// Unusual is set in files of earlier versions of the operator, which left such an index to helm. No entries follow in such a file.
	Unusual string `json:"unusual,omitempty"`
}

// maxState bounds the bytes of ETag and date together; an ETag has some ten characters.
const maxState = 1000

func (s state) known() bool { return s.ETag+s.Modified != "" }

// keep reads an index and writes a file with a line of JSON for each version, after a first line with the state.
func keep(index io.ReadSeeker, s state, file string) (state, error) {
	half, err := os.CreateTemp(filepath.Dir(file), "half-*")
	if err != nil {
		return s, err
	}
	defer os.Remove(half.Name())
	defer half.Close()
	if err := writeEntries(half, s, func(each func(Entry) error) error { return read(index, each) }); errors.Is(err, errUnusual) {
		err = errors.Join(half.Truncate(0), rewind(half), rewind(index))
		if err == nil {
			err = writeEntries(half, s, func(each func(Entry) error) error { return readWhole(index, each) })
		}
		if err != nil {
			return s, err
		}
	} else if err != nil {
		return s, err
	}
	return s, errors.Join(half.Close(), os.Rename(half.Name(), file))
}

func rewind(file io.Seeker) error {
	_, err := file.Seek(0, io.SeekStart)
	return err
}

func writeEntries(to io.Writer, s state, read func(each func(Entry) error) error) error {
	buffered := bufio.NewWriter(to)
	encode := json.NewEncoder(buffered)
	if err := encode.Encode(s); err != nil {
		return err
	}
	if err := read(func(e Entry) error { return encode.Encode(e) }); err != nil {
		return err
	}
	return buffered.Flush()
}

// readState returns the state in the first line of a file.
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
	if err == nil && s.Unusual != "" {
		return state{}, errors.New(s.Unusual)
	}
	return s, err
}

// choose looks up a version of a chart in a file. hasChart tells whether there is any version of the chart.
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
