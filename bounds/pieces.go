package bounds

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Pieces reads a JSON text of any length, and holds only a piece of it in memory. Fields and Items go through objects and lists; a value
// that is decoded as a whole must fit into a piece.
//
//	p := bounds.NewPieces(reader, 1<<20)
//	err := p.Fields(func(name string) error {
//		if name == "wanted" {
//			return p.Decode(&wanted)
//		}
//		return p.Skip()
//	})
type Pieces struct {
	*json.Decoder
	from           io.Reader
	size           int64
	given, allowed int64 // bytes
}

// ErrPieces means that the text may be JSON but cannot be read in pieces: a value is too long, or has another type than expected.
var ErrPieces = errors.New("it cannot be read in pieces")

// piecesError is an ErrPieces with its own text.
type piecesError struct{ text string }

func (e *piecesError) Error() string        { return e.text }
func (e *piecesError) Is(target error) bool { return target == ErrPieces }

func notInPieces(format string, args ...any) error { return &piecesError{fmt.Sprintf(format, args...)} }

// NewPieces returns a reader for the JSON text in from, with pieces of size bytes.
func NewPieces(from io.Reader, size int64) *Pieces {
	p := &Pieces{from: from, size: size, allowed: size}
	p.Decoder = json.NewDecoder(onePiece{p})
	return p
}

// onePiece limits how much the decoder can read for one value: otherwise it would hold a value of any length.
type onePiece struct{ *Pieces }

func (p onePiece) Read(into []byte) (int, error) {
	if p.given >= p.allowed {
		return 0, notInPieces("a value in it has more than %d bytes", p.size)
	}
	n, err := p.from.Read(into[:min(int64(len(into)), p.allowed-p.given)])
	p.given += int64(n)
	return n, err
}

// next reads a token. Afterwards one more piece may be read.
func (p *Pieces) next() (json.Token, error) {
	p.allowed = p.InputOffset() + p.size
	return p.Token()
}

// Fields reads an object and calls field for each of its fields; field must read the value. null counts as an empty object.
func (p *Pieces) Fields(field func(name string) error) error {
	return p.each('{', "object", func() error {
		name, err := p.next()
		if err != nil {
			return err
		}
		return field(name.(string)) // the decoder accepts only strings as names
	})
}

// Items reads a list and calls item for each element; item must read it. null counts as an empty list.
func (p *Pieces) Items(item func() error) error { return p.each('[', "list", item) }

func (p *Pieces) each(bracket json.Delim, what string, do func() error) error {
	begin, err := p.next()
	if err != nil || begin == nil {
		return err
	}
	if begin != bracket {
		return notInPieces("it is not a JSON %s", what)
	}
	for p.More() {
		p.allowed = p.InputOffset() + p.size
		if err := do(); err != nil {
			return err
		}
	}
	_, err = p.Token()
	return err
}

// Skip reads a value and discards it. Only the single strings and numbers in it must fit into a piece.
func (p *Pieces) Skip() error {
	for depth := 0; ; {
		token, err := p.next()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}
