package repository

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"strings"

	"octo-operator/merge"
)

// yamlReader splits an index at its lines. All programs write indexes in block style:
//
//	apiVersion: v1
//	entries:
//	  chart:
//	  - name: chart
//	    version: 1.0.0
//
// A piece is the text between two dashes at the column of the first dash. Each piece is parsed by a full YAML parser. A line inside a
// quoted text or brackets may look like a dash or a key; then the piece is not closed, and the parser refuses it. In block texts, all
// lines are further right than the dash. Everything else that is unusual is refused too.
type yamlReader struct {
	lines *bufio.Reader
	each  func(Entry) error

	piece []byte
	chart string          // the chart whose versions follow; "": none yet
	known map[string]bool // names of the charts so far
	key   int             // the column of the charts' names; 0: not seen yet
	dash  int             // the column of the chart's dashes; -1: not seen yet
	open  bool            // piece is a version of the chart

	started    bool // a word has been read
	hasEntries bool // entries have been read
	apiVersion bool // the index has an apiVersion, without which helm refuses it
}

// line is one line of an index.
type line struct {
	text   []byte // with its end
	column int    // of the first character that is no space
	word   []byte // from there on, without the end; empty: the line is blank, or a comment
}

func readYAML(from *bufio.Reader, each func(Entry) error) error {
	r := &yamlReader{lines: from, each: each, known: map[string]bool{}, dash: -1}
	entries, err := r.top()
	if err == nil && entries {
		if err = r.entries(); err == nil {
			_, err = r.top()
		}
	}
	if err == nil && !r.apiVersion {
		err = unusual("it has no apiVersion")
	}
	return err
}

// next returns the next line; io.EOF after the last one.
func (r *yamlReader) next() (line, error) {
	text, err := r.lines.ReadSlice('\n')
	for errors.Is(err, bufio.ErrBufferFull) { // longer than the buffer
		whole := bytes.Clone(text)
		for errors.Is(err, bufio.ErrBufferFull) {
			if len(whole) > maxPiece {
				return line{}, unusual("a line has more than %d bytes", maxPiece)
			}
			text, err = r.lines.ReadSlice('\n')
			whole = append(whole, text...)
		}
		text = whole
	}
	if err != nil && (len(text) == 0 || !errors.Is(err, io.EOF)) {
		return line{}, err
	}
	l := line{text: text, word: bytes.TrimRight(text, " \t\r\n")}
	for l.column < len(l.word) && l.word[l.column] == ' ' {
		l.column++
	}
	if l.word = l.word[l.column:]; len(l.word) > 0 && l.word[0] == '#' {
		l.word = nil
	}
	if otherBreak.Match(bytes.TrimSuffix(l.text, []byte("\r\n"))) {
		return l, unusual("it has line breaks of other kinds")
	}
	return r.unmarked(l)
}

// otherBreak matches line breaks of YAML 1.1 other than \n and \r\n.
var otherBreak = regexp.MustCompile("\r|\u0085|\u2028|\u2029")

// unmarked refuses directives and document markers, which matter only in a stream of several documents. A first --- counts as a blank
// line.
func (r *yamlReader) unmarked(l line) (line, error) {
	marked := l.column == 0 && len(l.word) > 0 &&
		(l.word[0] == '%' || bytes.HasPrefix(l.word, []byte("...")) || bytes.HasPrefix(l.word, []byte("---")))
	if marked && (r.started || string(l.word) != "---") {
		return l, unusual("it has the directive or marker %.100q", l.word)
	}
	if marked {
		l.text, l.word = []byte("\n"), nil
	}
	r.started = r.started || len(l.word) > 0 || marked
	return l, nil
}

// add appends a line to the piece.
func (r *yamlReader) add(l line) error {
	if len(r.piece)+len(l.text) > maxPiece {
		return unusual("a part of it is larger than %d bytes", maxPiece)
	}
	r.piece = append(r.piece, l.text...)
	return nil
}

// top reads the fields beside "entries", up to the line "entries:" (then it returns true) or to the end.
func (r *yamlReader) top() (entries bool, err error) {
	for {
		l, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return false, r.beside()
		case err != nil:
			return false, err
		case l.column == 0 && isKey(l.word, "entries") && !r.hasEntries:
			err := r.beside()
			r.hasEntries = true
			return true, err
		}
		if err := r.add(l); err != nil {
			return false, err
		}
	}
}

// isKey tells whether a line holds this key and nothing else.
func isKey(word []byte, key string) bool {
	after, ok := bytes.CutPrefix(word, []byte(key+":"))
	after = bytes.TrimSpace(after)
	return ok && (len(after) == 0 || after[0] == '#')
}

// beside parses the piece as fields beside "entries".
func (r *yamlReader) beside() error {
	fields, err := merge.Parse("it", r.piece)
	r.piece = r.piece[:0]
	if err != nil {
		return unusual("%v", err)
	}
	for key, value := range fields {
		switch {
		case key != "entries" && strings.EqualFold(key, "entries"), key != "apiVersion" && strings.EqualFold(key, "apiVersion"):
			return unusual("it has the field %q", key)
		case key == "entries" && (r.hasEntries || !isEmpty(value)):
			return unusual("its entries are there twice, or not in block style")
		}
	}
	if version, ok := fields["apiVersion"].(string); ok && version != "" {
		r.apiVersion = true
	}
	return nil
}

// isEmpty tells whether a value is null, {} or [].
func isEmpty(value any) bool {
	text, err := json.Marshal(value)
	return err == nil && (string(text) == "null" || string(text) == "{}" || string(text) == "[]")
}

// entries reads the charts. The first line after them becomes the beginning of the next piece.
func (r *yamlReader) entries() error {
	for {
		l, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return r.close()
		case err != nil:
			return err
		case len(l.word) == 0:
			err = r.add(l)
		case l.column == 0:
			return errors.Join(r.close(), r.add(l))
		default:
			err = r.entry(l)
		}
		if err != nil {
			return err
		}
	}
}

// entry handles one line of the charts.
func (r *yamlReader) entry(l line) error {
	isDash := l.word[0] == '-' && (len(l.word) == 1 || l.word[1] == ' ')
	if r.key == 0 {
		r.key = l.column
	}
	switch {
	case isDash && r.chart != "" && (l.column == r.dash || r.dash < 0 && l.column >= r.key):
		return r.version(l)
	case l.column == r.key:
		return errors.Join(r.close(), r.begin(l))
	case r.open && l.column > r.dash:
		return r.add(l)
	}
	return unusual("the line %.100q stands where no version is", l.word)
}

// version begins a piece with the line of a dash. The dash is replaced by a space, so that the piece is a map.
func (r *yamlReader) version(l line) error {
	if err := r.close(); err != nil {
		return err
	}
	r.open, r.dash = true, l.column
	if err := r.add(l); err != nil {
		return err
	}
	r.piece[l.column] = ' '
	return nil
}

// begin handles the line with a chart's name.
func (r *yamlReader) begin(l line) error {
	if len(r.known) == maxCharts {
		return errManyCharts
	}
	fields, err := merge.Parse("it", l.text)
	if err != nil || len(fields) != 1 {
		return unusual("the line %.100q is not the name of a chart", l.word)
	}
	for name, versions := range fields {
		if !isEmpty(versions) || name == "" || r.known[name] {
			return unusual("the chart %.100q is there twice, or not in block style", name)
		}
		r.chart, r.dash, r.known[name] = name, -1, true
	}
	return nil
}

// close parses the piece as a version of the chart.
func (r *yamlReader) close() error {
	piece, open := r.piece, r.open
	r.piece, r.open = r.piece[:0], false
	if !open {
		return nil // the piece holds only comments
	}
	var i item
	if err := merge.Decode("it", piece, &i); err != nil {
		return unusual("chart %.100q: %v", r.chart, err)
	}
	if e, ok := i.entry(r.chart); ok {
		return r.each(e)
	}
	return nil
}
