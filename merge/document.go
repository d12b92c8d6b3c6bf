// Package merge makes the one values document of a deploy out of five layers, lowest first:
//
//	context     what the operator knows from its own settings
//	valuesYaml  the document that came with the event
//	injected    overrides the operator adds (broker password, root CA, cluster secrets)
//	values      the event's own overrides, later entries over earlier ones
//	pinned      overrides the operator sets above everything (the count of replicas)
//
// Whose the workload is (Input.Identity) stands in the lowest layer, and no other changes it.
//
// Of what the operator adds of its own accord (context, injected, pinned), a value is left out that the chart does not take:
// its schema forbids it, or its default values or the event's have another kind of value on that path.
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
	"maps"
	"slices"
)

// The layers by name, as Explain reports them.
const (
	layerContext    = "context"
	layerValuesYAML = "valuesYaml"
	layerInjected   = "injected"
	layerValues     = "values"
	layerPinned     = "pinned"
)

// Override sets one value. Path is as in helm --set, see Path. Value is always text on the wire; a plain one takes
// the type of its target (see coerce.go), a secret one is replaced by a reference to the release's Secret.
type Override struct {
	Path   string `json:"path"`
	Value  string `json:"value"`
	Secret bool   `json:"isSecret"`
	// Declared: the value is for charts that know it alone. It is set only where the chart's default values have the path.
	Declared bool `json:"-"`
}

// Input is everything one values document depends on. Nothing in it is changed, and no result shares memory with it.
type Input struct {
	Context   map[string]any // layer "context": anything encoding/json can write
	Values    []byte         // layer "valuesYaml": YAML or JSON, may be empty
	Injected  []Override     // layer "injected"
	Overrides []Override     // layer "values"
	Pinned    []Override     // layer "pinned"
	// Identity are keys of Context that no layer above changes, nor removes: they say whose the workload is. One that the chart does not
	// take is in no document at all.
	Identity []string

	SecretName string // the Secret that secret overrides refer to: {release}-octo-secrets

	// The chart says which type an override has, and what it takes; its values are not merged, helm does that.
	ChartValues []byte // values.yaml, may be nil
	ChartSchema []byte // values.schema.json, may be nil
}

// Result is what a deploy needs.
type Result struct {
	Values  map[string]any    // the merged values; numbers are json.Number
	YAML    []byte            // the same for helm -f: keys sorted, so equal input gives equal bytes
	Secrets map[string]string // key in the Secret SecretName -> plain value; exactly the keys YAML refers to
	LeftOut []LeftOut         // what the chart does not take, in the order of the layers; nil: nothing
}

// Document merges the layers. It fails when a document cannot be read, or when an override cannot be set:
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

// assembly is the merged values, as far as they are merged, and how they came about.
type assembly struct {
	values      map[string]any
	assignments []assignment // in order
	leftOut     []LeftOut
	identity    []string // the keys of it that are in values

	chart chart
	types targetTypes
	edit  editor
}

// assignment is an override once its path is parsed and its value has its type.
type assignment struct {
	layer string
	path  Path
	value any    // what goes into the document: a typed value, or the reference that stands for a secret
	key   string // a secret's key in the Secret
	plain string // a secret's plain value, which goes into the Secret only
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

// set sets the overrides of a layer. Only the event's own are set whatever the chart says.
func (a *assembly) set(layer string, overrides []Override) error {
	for _, override := range overrides {
		next, err := a.types.assign(layer, override)
		if err == nil && override.Declared && !a.chart.declares(next.path) {
			continue // most charts know nothing of it: that is no news
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

// identify puts the identity over everything that the event has made of its keys, or in them.
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

// documents returns the two layers that are whole documents: context, without what the chart does not take, and valuesYaml. The
// identity is taken out of both: nothing below it counts.
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

// normalize copies a map into the types that Parse gives, so that everything after it knows only those.
func normalize(values map[string]any) (map[string]any, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	return decode(text)
}

// assign gives an override its type.
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
		a.value = coerce(override.Value, t.at(path))
	}
	return a, nil
}
