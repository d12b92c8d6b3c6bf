package repository

import (
	"encoding/json"
	"errors"
	"io"
)

// pieces bounds how much the JSON decoder reads for one value: it would hold a value of any size in memory.
type pieces struct {
	from    io.Reader
	given   int64
	allowed int64
}

func (p *pieces) Read(into []byte) (int, error) {
	if p.given >= p.allowed {
		return 0, unusual("a part of it is larger than %d bytes", maxPiece)
	}
	n, err := p.from.Read(into[:min(int64(len(into)), p.allowed-p.given)])
	p.given += int64(n)
	return n, err
}

type jsonReader struct {
	*json.Decoder
	pieces *pieces
	each   func(Entry) error
}

func readJSON(from io.Reader, each func(Entry) error) error {
	p := &pieces{from: from, allowed: maxPiece}
	r := &jsonReader{json.NewDecoder(p), p, each}
	version, entries := "", false
	err := r.object(func(key string) error {
		switch key {
		case "apiVersion":
			return r.Decode(&version)
		case "entries":
			if entries {
				return unusual("it has entries twice")
			}
			entries = true
			return r.object(r.chart)
		}
		return r.skip()
	})
	if err == nil && version == "" {
		err = unusual("it has no apiVersion")
	}
	if err == nil {
		if _, end := r.Token(); !errors.Is(end, io.EOF) {
			err = unusual("something follows it")
		}
	}
	return r.explain(err)
}

// explain turns an error about the text into errUnusual. Errors of the caller's function or of the reader are returned as they are.
func (r *jsonReader) explain(err error) error {
	syntax, kind := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	if errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return unusual("%v", err)
	}
	return err
}

// next allows the decoder to read one more piece.
func (r *jsonReader) next() { r.pieces.allowed = r.InputOffset() + maxPiece }

// object reads an object and calls member for each key; member must read the value. null counts as an empty object.
func (r *jsonReader) object(member func(key string) error) error {
	if empty, err := r.open('{'); empty || err != nil {
		return err
	}
	known := map[string]bool{}
	for r.More() {
		r.next()
		token, err := r.Token()
		if err != nil {
			return err
		}
		key, _ := token.(string)
		if known[key] {
			return unusual("it has %.100q twice", key)
		}
		if len(known) == maxCharts {
			return errManyCharts
		}
		known[key] = true
		if err := member(key); err != nil {
			return err
		}
	}
	_, err := r.Token()
	return err
}

func (r *jsonReader) open(bracket json.Delim) (empty bool, err error) {
	token, err := r.Token()
	if err == nil && token != nil && token != bracket {
		err = unusual("%.100v stands where %v is to be", token, bracket)
	}
	return token == nil, err
}

// chart reads the versions of a chart.
func (r *jsonReader) chart(name string) error {
	if empty, err := r.open('['); empty || err != nil {
		return err
	}
	for r.More() {
		r.next()
		var i item
		if err := r.Decode(&i); err != nil {
			return err
		}
		if e, ok := i.entry(name); ok {
			if err := r.each(e); err != nil {
				return err
			}
		}
	}
	_, err := r.Token()
	return err
}

func (r *jsonReader) skip() error {
	var value json.RawMessage
	return r.Decode(&value)
}
