package repository

import (
	"errors"
	"fmt"
	"io"

	"octo-operator/bounds"
	"octo-operator/merge"
)

// readWhole reads an index that cannot be read in pieces. Such indexes are written by people and not by programs, so they are small; one
// larger than bounds.Document is refused.
func readWhole(from io.Reader, each func(Entry) error) error {
	text, err := io.ReadAll(io.LimitReader(from, bounds.Document+1))
	if err != nil {
		return err
	}
	index, err := merge.Parse("index.yaml", text)
	if err != nil {
		return err
	}
	if field(index, "apiVersion") == nil { // something else, such as an HTML page
		return errors.New("it has no apiVersion")
	}
	all := field(index, "entries")
	entries, isMap := all.(map[string]any)
	if !isMap && all != nil {
		return errors.New("its entries are no map")
	}
	if len(entries) > maxCharts {
		return errManyCharts
	}
	for chart, versions := range entries {
		if err := eachVersion(chart, versions, each); err != nil {
			return err
		}
	}
	return nil
}

func eachVersion(chart string, versions any, each func(Entry) error) error {
	all, isList := versions.([]any)
	if !isList && versions != nil {
		return fmt.Errorf("what it has of chart %.100q is no list", chart)
	}
	for _, version := range all {
		fields, _ := version.(map[string]any)
		e, ok := itemOf(fields).entry(chart)
		if !ok {
			continue
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}
