package merge

import (
	"fmt"

	"github.com/imdario/mergo"
)

// overlay merges upper over lower, in place: maps merge, everything else in upper replaces what lower has, also null, empty and zero
// values. lower takes over parts of upper, so upper must not be used afterwards.
//
// WithOverride is the only option needed: in spite of its name it lets empty values win inside maps as well. WithOverwriteWithEmptyValue
// must not be used: it drops the keys that only lower has. Both maps must hold only decoded types (maps, lists, strings, json.Number,
// bool, nil), because mergo has other rules for pointers and structs.
func overlay(lower, upper map[string]any) error {
	if err := mergo.Merge(&lower, upper, mergo.WithOverride); err != nil {
		return fmt.Errorf("cannot merge values: %w", err)
	}
	return nil
}
