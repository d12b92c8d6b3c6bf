package story

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"octo-operator/bounds"
	"octo-operator/dispatch/runs"
)

// How much of each file is read, in bytes. A status page shows these beside a running operator, whose memory is bounded.
const (
	maxEvent  = 6 * bounds.Event // on disk a < takes six characters
	maxResult = 1 << 20
	maxInputs = 1 << 20
	maxText   = 1 << 20 // of values and changes
	maxTail   = 64 << 10
)

// Text is what was read of a text file.
type Text struct {
	Text string `json:"text"`
	// LeftOut is how many bytes of the file are not in Text: at the end of the file, or at the beginning if it is an output.
	LeftOut int64 `json:"leftOut,omitempty"`
}

// read returns the first limit bytes of a file, and the file's size.
func read(path string, limit int64) ([]byte, int64, error) {
	f, size, err := runs.OpenFile(path)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, limit))
	return text, max(size, int64(len(text))), err
}

func readJSON(path string, limit int64, into any) error {
	text, size, err := read(path, limit)
	if err == nil && size > limit {
		return fmt.Errorf("it has %d bytes, and may have %d", size, limit)
	}
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	return err
}

// readText returns the beginning of a file; the zero Text: there is none.
func readText(path string) Text {
	text, size, err := read(path, maxText)
	if err != nil {
		return Text{}
	}
	return Text{strings.ToValidUTF8(string(text), "\uFFFD"), size - int64(len(text))}
}

// tail returns the end of a file, beginning with a whole line.
func tail(path string, limit int64) Text {
	f, size, err := runs.OpenFile(path)
	if err != nil {
		return Text{}
	}
	defer f.Close()
	from := max(0, size-limit)
	text, err := io.ReadAll(io.NewSectionReader(f, from, limit))
	if err != nil {
		return Text{}
	}
	if from > 0 {
		if line := bytes.IndexByte(text, '\n'); line >= 0 {
			text, from = text[line+1:], from+int64(line)+1
		}
	}
	return Text{strings.ToValidUTF8(string(text), "\uFFFD"), from}
}

// Inputs returns the variables of the run's script, from the file env; it is empty if no script has begun.
func Inputs(run *runs.Run) map[string]string {
	text, _, err := read(run.Path("env"), maxInputs)
	inputs := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, is := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(line, "\n"), "export "), "=")
		if is && err == nil {
			inputs[name] = unquoted(value)
		}
	}
	return inputs
}

// unquoted undoes the quoting of a value in the file env: exec.Quote.
func unquoted(word string) string {
	inner, quoted := strings.CutPrefix(word, "'")
	if !quoted {
		return word
	}
	return strings.ReplaceAll(strings.TrimSuffix(inner, "'"), `'\''`, "'")
}
