package bounds

import (
	"fmt"
	"io"
)

// Places counts the characters that a YAML or JSON value may follow or precede. A text holds at most three times as many values as
// Places. Characters inside strings and comments are counted too: only a full parser could tell them apart.
func Places(text []byte) (count int) {
	for i, c := range text {
		switch c {
		case ',', ':', '?', '[', '{':
			count++
		case '-': // a dash that begins a list item is not followed by a letter or digit
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

// YAML returns an error if a values document would take too much memory to parse; it does not parse the document. helm converts YAML to
// JSON, in which each of < > & takes six bytes, so these count as six.
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

// JSON returns an error if text has more than the given number of values (members and elements, on all levels) or is nested deeper than
// Depth. It does not check whether text is valid JSON: the parser does that later.
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

// ReadAll reads from until its end. It returns an error if there are more than limit bytes.
func ReadAll(from io.Reader, limit int) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, int64(limit)+1))
	if err == nil && len(text) > limit {
		err = fmt.Errorf("it has more than %d bytes", limit)
	}
	return text, err
}
