package repository

import (
	"encoding/json"
	"errors"
	"io"

	"octo-operator/bounds"
	"octo-operator/merge"
)

type wholeIndex struct {
	APIVersion string            `json:"apiVersion"`
	Entries    map[string][]item `json:"entries"`
}

// readWhole reads an index that cannot be read in pieces. Such indexes are written by people and not by programs, so they are small; one
// larger than bounds.Document is refused.
func readWhole(from io.Reader, each func(Entry) error) error {
	text, err := io.ReadAll(io.LimitReader(from, bounds.Document+1))
	if err != nil {
		return err
	}
	var index wholeIndex
	if bounds.YAML(text) != nil || json.Unmarshal(text, &index) != nil { // of JSON, helm takes the last of two equal keys in the text
		index = wholeIndex{}
		if err := merge.Decode("index.yaml", text, &index); err != nil {
			return err
		}
	}
	if index.APIVersion == "" { // something else, such as an HTML page
		return errors.New("it has no apiVersion")
	}
	if len(index.Entries) > maxCharts {
		return errManyCharts
	}
	for chart, versions := range index.Entries {
		for _, version := range versions {
			e, ok := version.entry(chart)
			if !ok {
				continue
			}
			if err := each(e); err != nil {
				return err
			}
		}
	}
	return nil
}
