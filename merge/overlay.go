package merge

import (
	"fmt"

	"github.com/imdario/mergo"
)

// overlay merges upper over lower, in place: maps merge, everything else in upper replaces what lower has, also null,
// empty and zero values. lower takes over parts of upper, so upper is not to be used again.
//
// WithOverride is the whole recipe, in spite of its name: inside maps it lets empty values win as well.
// WithOverwriteWithEmptyValue must not be used, it drops the keys that only lower has.
// Both maps must hold only what decode gives (maps, lists, strings, json.Number, bool, nil): for pointers and structs
// mergo has other rules.
func overlay(lower, upper map[string]any) error {
	if err := mergo.Merge(&lower, upper, mergo.WithOverride); err != nil {
		return fmt.Errorf("cannot merge values: %w", err)
	}
	return nil
}
