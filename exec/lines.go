package exec

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLine is the longest Line in bytes. A longer line of output becomes several Lines: `kubectl get -o json` may print megabytes without
// a line end, which must not be held in memory.
const maxLine = 1 << 20

// Line is one line of output without its end (\n, \r\n or \r). Text is valid UTF-8; invalid bytes are replaced by U+FFFD.
type Line struct {
	Time   time.Time // when it was read
	Stream string    // "stdout" or "stderr"
	Text   string
	// More says that the line was longer than maxLine and goes on in the
	// next Line of this stream.
	More bool
}

// lineWriter splits a stream of bytes into lines and passes each on at once.
type lineWriter struct {
	stream string
	limit  int // longest line in bytes, at least utf8.UTFMax
	emit   func(Line)

	buf []byte // the line so far
	cr  crState
}

// crState says what a \r directly before the current position was.
type crState int

const (
	crNone  crState = iota // the last byte was no \r
	crEnded                // it ended a line, which has been passed on
	crAlone                // it followed a line end directly
)

func (w *lineWriter) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		i := bytes.IndexAny(p, "\r\n")
		if i < 0 {
			w.add(p)
			break
		}
		w.add(p[:i])
		w.end(p[i])
		p = p[i+1:]
	}
	return n, nil
}

// Close passes on a last line that has no line end.
func (w *lineWriter) Close() error {
	if len(w.buf) > 0 {
		w.flush(len(w.buf), false)
	}
	return nil
}

func (w *lineWriter) add(p []byte) {
	if len(p) == 0 {
		return
	}
	w.cr = crNone
	w.buf = append(w.buf, p...)
	// Not at exactly the limit: a line of that length would have an empty rest.
	for len(w.buf) > w.limit {
		w.flush(runeStart(w.buf, w.limit), true)
	}
}

// end handles a line end. A progress display redraws its line with \r, often with one more at the beginning or before the final \n. So an
// empty line counts only if it ends with \n.
func (w *lineWriter) end(c byte) {
	if len(w.buf) > 0 {
		w.flush(len(w.buf), false)
		w.cr = crNone
		if c == '\r' {
			w.cr = crEnded
		}
		return
	}
	if c == '\r' {
		if w.cr == crNone {
			w.cr = crAlone
		}
		return
	}
	if w.cr != crEnded { // else it is the second half of \r\n
		w.flush(0, false)
	}
	w.cr = crNone
}

// flush passes on the first n bytes of the buffer.
func (w *lineWriter) flush(n int, more bool) {
	text := string(w.buf[:n])
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	w.buf = w.buf[:copy(w.buf, w.buf[n:])]
	w.emit(Line{Time: time.Now(), Stream: w.stream, Text: text, More: more})
}

// runeStart returns the last position at or before i where a cut does not split a rune; i itself if there is none (the bytes are not
// UTF-8 then).
func runeStart(b []byte, i int) int {
	for j := i; j > i-utf8.UTFMax && j > 0; j-- {
		if utf8.RuneStart(b[j]) {
			return j
		}
	}
	return i
}
