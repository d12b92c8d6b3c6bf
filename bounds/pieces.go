package bounds

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Pieces reads a JSON text of any length, of which only a piece is in memory at a time. Fields and Items take objects and lists apart;
// what is decoded whole must fit into a piece.
type Pieces struct {
	*json.Decoder
	from           io.Reader
	size           int64
	given, allowed int64 // bytes
}

// ErrPieces is a text that is JSON and cannot be read so: a value is too long, or another one than was expected.
var ErrPieces = errors.New("it cannot be read in pieces")

// piecesError is an ErrPieces in words of its own.
type piecesError struct{ text string }

func (e *piecesError) Error() string        { return e.text }
func (e *piecesError) Is(target error) bool { return target == ErrPieces }

func notInPieces(format string, args ...any) error { return &piecesError{fmt.Sprintf(format, args...)} }

// NewPieces reads from from, in pieces of size bytes.
func NewPieces(from io.Reader, size int64) *Pieces {
	p := &Pieces{from: from, size: size, allowed: size}
	p.Decoder = json.NewDecoder(onePiece{p})
	return p
}

// onePiece gives the decoder only so much: it would hold a value of any length.
type onePiece struct{ *Pieces }

func (p onePiece) Read(into []byte) (int, error) {
	if p.given >= p.allowed {
		return 0, notInPieces("a value in it has more than %d bytes", p.size)
	}
	n, err := p.from.Read(into[:min(int64(len(into)), p.allowed-p.given)])
	p.given += int64(n)
	return n, err
}

// next reads a token. From there on there is room for one more piece.
func (p *Pieces) next() (json.Token, error) {
	p.allowed = p.InputOffset() + p.size
	return p.Token()
}

// Fields calls field when the decoder is at the value of each field of an object; null has none.
func (p *Pieces) Fields(field func(name string) error) error {
	return p.each('{', "object", func() error {
		name, err := p.next()
		if err != nil {
			return err
		}
		return field(name.(string)) // the decoder takes nothing else for a name
	})
}

// Items calls item when the decoder is at each element of a list; null has none.
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

// Skip reads a value and forgets it. Only the single values in it must fit into a piece.
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
