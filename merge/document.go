// Package merge makes the values document of a deploy from five layers, lowest first:
//
//	context     what the operator knows from its own settings
//	valuesYaml  the document that came with the event
//	injected    overrides that the operator adds (broker password, root CA, cluster secrets)
//	values      the event's own overrides, later entries over earlier ones
//	pinned      overrides that the operator sets above everything (the number of replicas)
//
// Each layer is merged over the one before exactly as helm merges several -f files: maps merge; everything else, lists too, is replaced;
// null stays in the document so that helm removes the chart's key; empty and zero values do override. merge/helmoracle compares this with
// Helm's own code.
//
// Two rules go beyond helm. The keys that identify the workload and its tenant (Input.Identity) are set in the lowest layer, and no other layer
// changes them. And a value that the operator adds of its own accord (context, injected, pinned) is left out if the chart does not accept it: its
// schema forbids it, or its default values or the event's have another kind of value on that path.
//
// The package is pure: bytes in, bytes out, no files, no clock, no network. No error quotes a value, so errors may be shown to anybody.
//
//	result, err := merge.Document(merge.Input{Context: context, Values: valuesYaml, Overrides: overrides, SecretName: name, ChartValues: chart})
//	// result.YAML is for helm -f, result.Secrets for the release's Secret
package merge

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Names of the layers, as in Origin, Replaced and LeftOut.
const (
	layerContext    = "context"
	layerValuesYAML = "valuesYaml"
	layerInjected   = "injected"
	layerValues     = "values"
	layerPinned     = "pinned"
	layerChart      = "chart" // below all others, but not merged: helm does that
)

// Override sets one value. Path is as in helm --set, see Path. Value is always text: a plain one is converted to the type of its
// target (see coerce.go), a secret one is replaced by a reference to the release's Secret.
type Override struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Secret bool   `json:"isSecret"`
	// Declared: set the value only if the chart's default values have the path.
	Declared bool `json:"-"`
}

// Input is everything that a values document depends on. It is not changed, and no result shares memory with it.
type Input struct {
	Context   map[string]any // layer "context": anything that encoding/json can encode; nil: empty
	Values    []byte         // layer "valuesYaml": YAML or JSON; may be empty
	Injected  []Override     // layer "injected"
	Overrides []Override     // layer "values"
	Pinned    []Override     // layer "pinned"
	// Identity are the keys of Context that identify the workload and its tenant. No layer above changes or removes them. One that the chart does not
	// accept is left out of the document, whatever layer has it.
	Identity []string

	SecretName string // name of the Secret that secret overrides refer to, {release}-octo-secrets; "": secret overrides are an error

	// The chart's files decide the types of overrides and what is left out. The chart's values are not merged in: helm does that.
	ChartValues []byte // values.yaml; may be nil
	ChartSchema []byte // values.schema.json; may be nil
}

// Result is the outcome of a merge.
type Result struct {
	Values  map[string]any    // the merged values; numbers are json.Number
	YAML    []byte            // the same as YAML for helm -f; keys are sorted, so that equal input gives equal bytes
	Secrets map[string]string // key in the Secret -> plain value; exactly the keys that YAML refers to
	LeftOut []LeftOut         // what the chart does not accept, in the order of the layers; nil: nothing
}

// Document merges the layers. The error says which document cannot be read, or which override cannot be set, and never holds a value:
//
//	cannot read valuesYaml: line 3: did not find expected key: correct the workload's values
//	cannot set override "a[x]": index is not a number at position 2
func Document(in Input) (Result, error) {
	defer takeTurn(in.size())()
	merged, err := assemble(in)
	if err != nil {
		return Result{}, err
	}
	text, err := encode(merged.values)
	if err != nil {
		return Result{}, err
	}
	secrets := survivingSecrets(merged.values, in.SecretName, merged.assignments)
	return Result{Values: merged.values, YAML: text, Secrets: secrets, LeftOut: merged.leftOut}, nil
}

// assembly is the document while it is merged, and how its values came about.
type assembly struct {
	values      map[string]any
	assignments []assignment // in order
	leftOut     []LeftOut
	identity    []string // the identity keys that are in values

	chart chart
	types targetTypes
	edit  editor
}

// assignment is an override with its path parsed and its value converted.
type assignment struct {
	layer string
	path  Path
	value any    // what goes into the document: a typed value, or the reference that stands for a secret
	key   string // a secret's key in the Secret
	plain string // a secret's plain value, which goes into the Secret only

	// For Explain, unless it is secret: its text, the type that it was to be converted to, and where that type comes from.
	text   string
	target kind
	says   authority
}

func assemble(in Input) (*assembly, error) {
	if err := checkOverrides(in.Injected, in.Overrides, in.Pinned); err != nil {
		return nil, err
	}
	chart, err := readChart(in)
	if err != nil {
		return nil, err
	}
	identity, values, upper, leftOut, err := documents(in, chart)
	if err == nil {
		err = overlay(values, upper)
	}
	if err != nil {
		return nil, err
	}
	a := &assembly{
		values: values, leftOut: leftOut, chart: chart,
		types: targetTypes{values: values, chart: chart, secretName: in.SecretName}, edit: editor{values: values},
	}
	err = a.set(layerInjected, in.Injected)
	if err == nil {
		err = a.set(layerValues, in.Overrides)
	}
	if err == nil {
		err = a.set(layerPinned, in.Pinned)
	}
	if err == nil {
		a.identify(identity)
	}
	if err == nil {
		err = chart.schema.err()
	}
	return a, err
}

// set sets the overrides of a layer. Those of the event (layerValues) are set even if the chart does not accept them.
func (a *assembly) set(layer string, overrides []Override) error {
	for _, override := range overrides {
		next, err := a.types.assign(layer, override)
		if err == nil && override.Declared && !a.chart.declares(next.path) {
			continue // not reported in leftOut: most charts do not have it
		}
		if err == nil && layer != layerValues {
			if reason := a.chart.refuses(next.path, next.value, override.Secret, a.values); reason != "" {
				a.leftOut = append(a.leftOut, LeftOut{next.path.String(), layer, reason})
				continue
			}
		}
		if err == nil {
			err = a.edit.set(next.path, next.value)
		}
		if err != nil {
			return fmt.Errorf("cannot set override %s: %w", quote(override.Path), err)
		}
		a.assignments = append(a.assignments, next)
	}
	return nil
}

// identify sets the identity keys again, over whatever the upper layers have set there.
func (a *assembly) identify(identity map[string]any) {
	var leftOut []LeftOut
	for _, key := range slices.Sorted(maps.Keys(identity)) {
		if reason := a.chart.refuses(Path{{Name: key}}, identity[key], false, map[string]any{}); reason != "" {
			leftOut = append(leftOut, LeftOut{key, layerContext, reason})
			delete(a.values, key)
			continue
		}
		a.values[key] = identity[key]
		a.identity = append(a.identity, key)
	}
	a.leftOut = append(leftOut, a.leftOut...)
}

// documents returns the two layers that are whole documents: context, without what the chart does not accept, and valuesYaml. The
// identity keys are removed from both.
func documents(in Input, chart chart) (identity, context, values map[string]any, leftOut []LeftOut, err error) {
	if context, err = normalize(in.Context); err != nil {
		return nil, nil, nil, nil, fmt.Errorf("cannot encode the values from the operator's settings: %w", err)
	}
	if values, err = parse("valuesYaml", in.Values); err != nil {
		return nil, nil, nil, nil, fmt.Errorf("%w: correct the workload's values", err)
	}
	identity = map[string]any{}
	for _, key := range in.Identity {
		if value, ok := context[key]; ok {
			identity[key] = value
			delete(context, key)
			delete(values, key)
		}
	}
	leftOut = chart.prune(context, values, nil)
	return identity, context, values, leftOut, nil
}

// normalize copies a map so that it holds only the types that Parse returns.
func normalize(values map[string]any) (map[string]any, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	return decode(text)
}

// assign parses an override's path and converts its value.
func (t *targetTypes) assign(layer string, override Override) (assignment, error) {
	path, err := parsePath(override.Path)
	if err != nil {
		return assignment{}, err
	}
	a := assignment{layer: layer, path: path}
	if override.Secret {
		if t.secretName == "" {
			return assignment{}, errors.New("it is secret, and the release has no Secret")
		}
		a.key, a.plain = secretKeyOf(override.Path), override.Value
		a.value = secretReference(t.secretName, a.key)
	} else {
		a.text = override.Value
		a.target, a.says = t.at(path)
		a.value = coerce(a.text, a.target)
	}
	return a, nil
}
