package bounds

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Places counts the characters before which or after which a value may stand in YAML or JSON: no text holds more than three
// times as many values. Those in texts and comments count too, only a whole parser could tell them apart.
func Places(text []byte) (count int) {
	for i, c := range text {
		switch c {
		case ',', ':', '?', '[', '{':
			count++
		case '-': // a list's dash has no letter after it
			if i+1 == len(text) || !inWord(text[i+1]) {
				count++
			}
		}
	}
	return count
}

func inWord(c byte) bool {
	return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// YAML refuses a values document that would take too much memory to read, before anything is read. helm's YAML goes through JSON, in
// which < > & have six bytes.
func YAML(text []byte) error {
	size := len(text)
	for _, c := range text {
		if c == '<' || c == '>' || c == '&' {
			size += 5
		}
	}
	switch places := Places(text); {
	case len(text) > Document:
		return fmt.Errorf("it has %d bytes, the limit is %d", len(text), Document)
	case size > Document:
		return fmt.Errorf("it has %d bytes with each of < > & as six, the limit is %d", size, Document)
	case places > Values:
		return fmt.Errorf("it has %d places at which a value may begin (after one of , : ? - [ {), the limit is %d", places, Values)
	}
	return nil
}

// JSON refuses a JSON text of more than values values (members, elements and all that is in them), or one that is nested deeper than
// Depth. Whether it is JSON at all is found out by its parser.
func JSON(text []byte, values int) error {
	count, depth, inString := 1, 0, false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			count++
			if depth++; depth > Depth {
				return fmt.Errorf("it is nested deeper than %d levels", Depth)
			}
		case c == '}' || c == ']':
			depth--
		case c == ',':
			count++
		}
		if count > values {
			return fmt.Errorf("it has more than %d values", values)
		}
	}
	return nil
}

// ReadAll reads all there is, at most limit bytes: more is an error.
func ReadAll(from io.Reader, limit int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return text, err
}

// Cut is the beginning of a text, at most limit bytes of it and no half character. For people: what is cut off, the caller says.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for back := 1; back < utf8.UTFMax && limit > 0 && !utf8.RuneStart(text[limit]); back++ {
		limit--
	}
	return text[:limit]
}

// Printable is text with a space for whatever ends a line, moves a terminal or is no character.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, " "))
}
