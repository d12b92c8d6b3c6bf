// Package merge makes the one values document of a deploy out of four layers, lowest first:
//
//	context     what the operator knows from its own settings
//	valuesYaml  the document that came with the event
//	injected    overrides the operator adds (broker password, root CA, cluster secrets)
//	values      the event's own overrides, later entries over earlier ones
//
// Each layer is merged over the one before exactly as helm merges several -f files: maps merge, everything else is
// replaced (lists too), null stays in the document so that helm removes the chart's key, and empty or zero values do
// override. merge/helmoracle compares this with Helm's own code.
//
// The package is pure: bytes in, bytes out, no files, no clock, no network. No error quotes a value, so errors may be
// shown to anybody.
package merge

import (
	"encoding/json"
	"errors"
	"fmt"
)

// The layers by name, as Explain reports them.
const (
	LayerContext    = "context"
	LayerValuesYAML = "valuesYaml"
	LayerInjected   = "injected"
	LayerValues     = "values"
)

// Override sets one value. Path is as in helm --set, see ParsePath. Value is always text on the wire; a plain one takes
// the type of its target (see coerce.go), a secret one is replaced by a reference to the release's Secret.
type Override struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Secret bool   `json:"isSecret"`
}

// Input is everything one values document depends on. Nothing in it is changed, and no result shares memory with it.
type Input struct {
	Context   map[string]any // layer "context": anything encoding/json can write
	Values    []byte         // layer "valuesYaml": YAML or JSON, may be empty
	Injected  []Override     // layer "injected"
	Overrides []Override     // layer "values"

	SecretName string // the Secret that secret overrides refer to: {release}-octo-secrets

	// The chart says only which type an override has; its values are not merged, helm does that.
	ChartValues []byte // values.yaml, may be nil
	ChartSchema []byte // values.schema.json, may be nil
}

// Result is what a deploy needs.
type Result struct {
	Values  map[string]any    // the merged values; numbers are json.Number
	YAML    []byte            // the same for helm -f: keys sorted, so equal input gives equal bytes
	Secrets map[string]string // key in the Secret SecretName -> plain value; exactly the keys YAML refers to
}

// Document merges the layers. It fails when a document cannot be read, or when an override cannot be set:
//
//	cannot read valuesYaml: line 3: did not find expected key
//	cannot set override "a[x]": index is not a number at position 2
func Document(in Input) (Result, error) {
	values, assignments, err := assemble(in)
	if err != nil {
		return Result{}, err
	}
	text, err := encode(values)
	if err != nil {
		return Result{}, err
	}
	return Result{Values: values, YAML: text, Secrets: survivingSecrets(values, in.SecretName, assignments)}, nil
}

// assignment is an override once its path is parsed and its value has its type.
type assignment struct {
	layer string
	path  Path
	value any    // what goes into the document: a typed value, or the reference that stands for a secret
	key   string // a secret's key in the Secret
	plain string // a secret's plain value, which goes into the Secret only
}

// assemble returns the merged values, and what the overrides did to get there, in order.
func assemble(in Input) (map[string]any, []assignment, error) {
	values, upper, err := documents(in)
	if err != nil {
		return nil, nil, err
	}
	if err := overlay(values, upper); err != nil {
		return nil, nil, err
	}
	types, err := newTargetTypes(values, in)
	if err != nil {
		return nil, nil, err
	}

	edit := &editor{values: values}
	var assignments []assignment
	for _, layer := range []struct {
		name      string
		overrides []Override
	}{{LayerInjected, in.Injected}, {LayerValues, in.Overrides}} {
		for _, override := range layer.overrides {
			a, err := assign(edit, types, override)
			if err != nil {
				return nil, nil, fmt.Errorf("cannot set override %s: %w", quote(override.Path), err)
			}
			a.layer = layer.name
			assignments = append(assignments, a)
		}
	}
	return values, assignments, nil
}

// documents returns the two layers that are whole documents: context and valuesYaml.
func documents(in Input) (context, values map[string]any, err error) {
	if context, err = normalize(in.Context); err != nil {
		return nil, nil, fmt.Errorf("cannot encode the values from the operator's settings: %w", err)
	}
	if values, err = Parse("valuesYaml", in.Values); err != nil {
		return nil, nil, err
	}
	return context, values, nil
}

// normalize copies a map into the types that Parse gives, so that everything after it knows only those.
func normalize(values map[string]any) (map[string]any, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	return decode(text)
}

// assign sets one override and says what it did.
func assign(edit *editor, types *targetTypes, override Override) (assignment, error) {
	path, err := ParsePath(override.Path)
	if err != nil {
		return assignment{}, err
	}
	a := assignment{path: path}
	if override.Secret {
		if types.secretName == "" {
			return assignment{}, errors.New("it is secret, and the release has no Secret")
		}
		a.key, a.plain = SecretKey(override.Path), override.Value
		a.value = secretReference(types.secretName, a.key)
	} else {
		a.value = coerce(override.Value, types.at(path))
	}
	return a, edit.set(path, a.value)
}
