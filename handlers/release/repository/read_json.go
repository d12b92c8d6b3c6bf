package repository

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"octo-operator/bounds"
)

type jsonReader struct {
	*bounds.Pieces
	each func(Entry) error
}

func readJSON(from io.Reader, each func(Entry) error) error {
	r := &jsonReader{bounds.NewPieces(from, maxPiece), each}
	version, hasEntries := "", false
	err := r.once(func(key string) error {
		switch {
		case strings.EqualFold(key, "apiVersion"):
			return r.Decode(&version)
		case strings.EqualFold(key, "entries") && hasEntries:
			return unusual("it has its entries twice")
		case strings.EqualFold(key, "entries"):
			hasEntries = true
			return r.once(r.chart)
		}
		return r.Skip()
	})
	if err == nil && version == "" {
		err = unusual("it has no apiVersion")
	}
	if err == nil {
		if _, end := r.Token(); !errors.Is(end, io.EOF) {
			err = unusual("something follows it")
		}
	}
	syntax, kind := (*json.SyntaxError)(nil), (*json.UnmarshalTypeError)(nil)
	if errors.As(err, &syntax) || errors.As(err, &kind) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, bounds.ErrPieces) {
		return unusual("%v", err)
	}
	return err // of each, or of the reader
}

// once reads an object and refuses one in which a key occurs twice.
func (r *jsonReader) once(field func(key string) error) error {
	known := map[string]bool{}
	return r.Fields(func(key string) error {
		if known[key] {
			return unusual("it has %.100q twice", key)
		}
		if len(known) == maxCharts {
			return errManyCharts
		}
		known[key] = true
		return field(key)
	})
}

// chart reads the versions of a chart.
func (r *jsonReader) chart(name string) error {
	return r.Items(func() error {
		var i item
		if err := r.Decode(&i); err != nil {
			return err
		}
		if e, ok := i.entry(name); ok {
			return r.each(e)
		}
		return nil
	})
}
