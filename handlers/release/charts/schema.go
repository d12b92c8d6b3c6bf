package charts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"octo-operator/bounds"
	"octo-operator/handlers/release/repository"
)

// schemaAddress is the address that helm gives to the schema of a chart or a subchart.
const schemaAddress = "file:///values.schema.json"

var referenceKeywords = []string{"$ref", "$dynamicRef", "$recursiveRef"}

// referencesOut finds all documents that helm would read besides a schema. It may find more, but never fewer: where a $id counts depends
// on the draft, and a pointer may turn anything in the document into a schema. A text that is not JSON has no references, because helm
// stops there.
func referencesOut(file string, text []byte, left *schemaBudget) ([]schemaReference, error) {
	if left.bytes -= len(text); left.bytes < 0 {
		return nil, fmt.Errorf("cannot read %s: the chart's schemas have more than %d MiB together", file, maxSchemaBytes>>20)
	}
	if err := bounds.JSON(text, bounds.SchemaValues); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // as helm does: otherwise 1e999 would be an error
	var root any
	if decoder.Decode(&root) != nil {
		return nil, nil
	}
	s := &schemaReader{file: file, left: left, ids: map[string]bool{schemaAddress: true}, certain: map[uintptr]string{}}
	s.readIDs(root)
	s.read(root, schemaPlace{bases: []string{schemaAddress}})
	if s.err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", file, s.err)
	}
	if s.pointers { // a pointer may make a schema of data
		return append(s.found, s.inData...), nil
	}
	return s.found, nil
}

// schemaBudget is how much work the schemas of a chart may still cause: one of 5 MiB can have a hundred thousand references, each in
// several ways.
type schemaBudget struct{ bytes, joins, found int }

const (
	maxSchemaBytes = 4 * bounds.ChartFile
	maxJoins       = 2 * bounds.SchemaValues
	maxFound       = 1000
	maxAddress     = 512 // bytes; real ones are below 200
	maxBases       = 20  // how many bases a reference may have; real ones have one or two
)

func newSchemaBudget() schemaBudget { return schemaBudget{maxSchemaBytes, maxJoins, maxFound} }

// schemaReader reads one schema.
type schemaReader struct {
	file          string
	left          *schemaBudget
	err           error              // the first error; nothing is read after it
	ids           map[string]bool    // the addresses of documents that are certainly contained in this one
	certain       map[uintptr]string // the address of each schema that has such an id; for the key see identity
	pointers      bool               // a reference points to something else than a whole document or one of its definitions
	found, inData []schemaReference
}

// schemaPlace is the place of a value in a schema.
type schemaPlace struct {
	bases []string // the addresses to which a reference there may be relative
	names bool     // its keys are names, for example of properties, and not keywords
	data  bool     // it is a constant or an example, not a schema, unless a pointer leads to it
}

func (s *schemaReader) read(value any, at schemaPlace) {
	switch value := value.(type) {
	case []any:
		for _, element := range value {
			s.read(element, schemaPlace{bases: at.bases, data: at.data})
		}
	case map[string]any:
		bases := s.basesIn(value, at)
		s.readReferences(value, bases, at.data)
		for _, key := range slices.Sorted(maps.Keys(value)) {
			next := schemaPlace{bases: bases, data: at.data}
			if !at.names {
				next.names = slices.Contains([]string{"properties", "patternProperties", "definitions", "$defs", "dependentSchemas", "dependencies"}, key)
				next.data = at.data || slices.Contains([]string{"const", "enum", "default", "examples"}, key)
			}
			if s.err == nil {
				s.read(value[key], next)
			}
		}
	}
}

// basesIn adds the $id of a schema to the bases of the references below it. In draft 4 it is id.
func (s *schemaReader) basesIn(schema map[string]any, at schemaPlace) []string {
	if address, ok := s.certain[identity(schema)]; ok {
		return []string{address}
	}
	bases := at.bases
	for _, keyword := range []string{"$id", "id"} {
		id, _, _ := strings.Cut(member(schema, keyword), "#")
		if id == "" {
			continue
		}
		for _, base := range bases {
			if address, err := s.join(base, id); err == nil && !slices.Contains(bases, address) {
				bases = append(slices.Clip(bases), address)
			}
		}
	}
	if len(bases) > maxBases {
		s.err = fmt.Errorf("its $id are nested in more than %d ways: leave out those that nothing refers to", maxBases)
		return at.bases
	}
	return bases
}

func (s *schemaReader) readReferences(schema map[string]any, bases []string, data bool) {
	if draft, is := schema["$schema"].(string); is { // it is never relative
		if address, _, _ := strings.Cut(draft, "#"); !isDraft(address) {
			s.add(schemaReference{file: s.file, keyword: "$schema", text: draft, address: address}, data)
		}
	}
	for _, keyword := range referenceKeywords {
		text, is := schema[keyword].(string)
		if !is {
			continue
		}
		to, fragment, _ := strings.Cut(text, "#")
		s.pointers = s.pointers || !isDefinition(fragment)
		for _, base := range slices.Backward(bases) { // the nearest $id first: it is the likeliest
			// Joining may change the base itself, such as https://a/?: then even "#" leads out.
			if address, err := s.join(base, to); err == nil && address != base && !s.ids[address] && !isDraft(address) {
				s.add(schemaReference{file: s.file, keyword: keyword, text: text, address: address}, data)
			}
		}
	}
}

func (s *schemaReader) add(r schemaReference, data bool) {
	address, err := url.Parse(r.address)
	if err != nil || address.Scheme == "urn" { // helm reads nothing at such an address
		return
	}
	if s.left.found--; s.left.found < 0 {
		s.err = fmt.Errorf("it refers to more than %d documents elsewhere", maxFound)
		return
	}
	r.web = address.Scheme == "http" || address.Scheme == "https"
	if data {
		s.inData = append(s.inData, r)
	} else {
		s.found = append(s.found, r)
	}
}

// isDefinition tells whether a fragment names the whole document, an anchor, or a definition. Those are schemas, wherever they are.
func isDefinition(fragment string) bool {
	fragment, err := url.PathUnescape(fragment)
	if err != nil || !strings.HasPrefix(fragment, "/") {
		return true // an invalid fragment refers to nothing
	}
	parts := strings.Split(fragment[1:], "/")
	return len(parts) == 2 && (parts[0] == "definitions" || parts[0] == "$defs")
}

// join is joinAddress within the budget.
func (s *schemaReader) join(base, reference string) (string, error) {
	if s.left.joins--; s.left.joins < 0 && s.err == nil {
		s.err = errors.New("it takes too long to find what it refers to: it has too many references and $id")
	}
	if s.err != nil {
		return "", s.err
	}
	address, err := "", error(nil)
	if len(reference) <= maxAddress {
		address, err = joinAddress(base, reference)
	}
	if len(reference) > maxAddress || len(address) > maxAddress {
		s.err = fmt.Errorf("an address in it has more than %d bytes: %.60q …", maxAddress, repository.Shown(reference))
		return "", s.err
	}
	return address, err
}

// joinAddress resolves a reference without its fragment, in the same way as helm's library.
func joinAddress(base, reference string) (string, error) {
	from, err := url.Parse(base)
	if err != nil {
		return "", err
	}
	to, err := url.Parse(reference)
	if err != nil {
		return "", err
	}
	address := from.ResolveReference(to)
	if !to.IsAbs() && from.Opaque != "" {
		address.Opaque = from.Opaque
	}
	return address.String(), nil
}

// readIDs finds the $ids of the document and of its definitions that certainly count: tools that embed the documents to which a schema
// refers leave the references unchanged.
func (s *schemaReader) readIDs(root any) {
	schema, _ := root.(map[string]any)
	draft := draftOf(schema, 2020)
	if draft == 0 {
		return
	}
	base := s.readID(schema, schemaAddress, draft, draft)
	for _, keyword := range []string{"definitions", "$defs"} {
		definitions, _ := schema[keyword].(map[string]any)
		if keyword == "$defs" && draft < 2019 {
			continue
		}
		for _, definition := range definitions {
			if definition, is := definition.(map[string]any); is {
				s.readID(definition, base, draft, draftOf(definition, draft))
			}
		}
	}
}

// readID returns the address of a schema: that of its $id, or else the base.
func (s *schemaReader) readID(schema map[string]any, base string, rootDraft, draft int) string {
	_, refers := schema["$ref"]
	if draft < 6 || rootDraft < 6 || refers && min(draft, rootDraft) < 2019 {
		return base
	}
	id, _, _ := strings.Cut(member(schema, "$id"), "#")
	if id == "" {
		return base
	}
	address, err := s.join(base, id)
	if err != nil {
		return base
	}
	s.ids[address], s.certain[identity(schema)] = true, address
	return address
}

// draftOf returns the version of JSON Schema in which a schema is written; 0: none that helm knows.
func draftOf(schema map[string]any, otherwise int) int {
	text, is := schema["$schema"].(string)
	if !is {
		return otherwise
	}
	address, fragment, _ := strings.Cut(text, "#")
	if fragment != "" || !isDraft(address) {
		return 0
	}
	_, name, _ := strings.Cut(address, "://json-schema.org/")
	return map[string]int{"schema": 2020, "draft/2020-12/schema": 2020, "draft/2019-09/schema": 2019, "draft-07/schema": 7, "draft-06/schema": 6, "draft-04/schema": 4}[name]
}

// isDraft tells whether an address is that of a document of json-schema.org that is a part of helm, which sends no request for it.
func isDraft(address string) bool {
	name, is := strings.CutPrefix(address, "http://json-schema.org/")
	if !is {
		name, is = strings.CutPrefix(address, "https://json-schema.org/")
	}
	return is && slices.Contains([]string{"schema", "draft-04/schema", "draft-06/schema", "draft-07/schema",
		"draft/2019-09/schema", "draft/2019-09/meta/core", "draft/2019-09/meta/applicator", "draft/2019-09/meta/validation",
		"draft/2019-09/meta/meta-data", "draft/2019-09/meta/format", "draft/2019-09/meta/content",
		"draft/2020-12/schema", "draft/2020-12/meta/core", "draft/2020-12/meta/applicator", "draft/2020-12/meta/unevaluated",
		"draft/2020-12/meta/validation", "draft/2020-12/meta/meta-data", "draft/2020-12/meta/format-annotation",
		"draft/2020-12/meta/format-assertion", "draft/2020-12/meta/content"}, name)
}

// identity distinguishes objects of a document that have the same content.
func identity(object map[string]any) uintptr { return reflect.ValueOf(object).Pointer() }

// member returns a string in a schema; "": there is none of that name.
func member(schema map[string]any, key string) string {
	text, _ := schema[key].(string)
	return text
}
