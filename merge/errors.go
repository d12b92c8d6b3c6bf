package merge

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	yamlnode "go.yaml.in/yaml/v3"
)

// lineMessage finds the line and the problem in an error of either YAML library. They do not say the column.
var lineMessage = regexp.MustCompile(`(?s)(?:yaml: )?(?:unmarshal errors:\s*)?line (\d+): ([^\n]*)`)

// explain rewrites an error of a YAML library: with the line in the whole stream, and without anything quoted from the document, because
// values may be secret and the error becomes a status message.
func (p part) explain(err error) error {
	message := err.Error()
	switch {
	case strings.Contains(message, "cannot unmarshal"):
		return p.explainRoot(message)
	case strings.Contains(message, "unsupported value"):
		return errors.New(".nan and .inf are not possible in values")
	case strings.Contains(message, "map key"):
		return errors.New("a map has a key that is null, a list, a map or a date; write it in quotes")
	}
	if m := lineMessage.FindStringSubmatch(message); m != nil {
		line, _ := strconv.Atoi(m[1])
		return fmt.Errorf("line %d: %s", p.line+line, withoutQuoted(m[2]))
	}
	// The libraries name no line if the problem is in the first one.
	if _, problem, ok := strings.Cut(message, "yaml: "); ok {
		return fmt.Errorf("line %d: %s", p.line+1, withoutQuoted(problem))
	}
	return errors.New("it is not valid YAML")
}

// fieldMessage finds the kind of a value and the name of the field in an error of encoding/json. The name is that of a struct's field.
var fieldMessage = regexp.MustCompile(`cannot unmarshal (array|object|string|number|bool)\b.* into Go struct field [^.]*\.(\S+) of type`)

var kindsOfJSON = map[string]string{"array": "a list", "object": "a map", "string": "a text", "number": "a number", "bool": "a boolean"}

// explainRoot says what a document holds instead of a map, or which field of a struct a value does not fit.
func (p part) explainRoot(message string) error {
	var root yamlnode.Node
	if err := yamlnode.Unmarshal(p.text, &root); err != nil || len(root.Content) == 0 {
		return errors.New("values must be a map")
	}
	node := root.Content[0]
	what := "a single value"
	switch node.Kind {
	case yamlnode.SequenceNode:
		what = "a list"
	case yamlnode.MappingNode: // the document is decoded into a struct
		if m := fieldMessage.FindStringSubmatch(message); m != nil {
			return fmt.Errorf("%s does not fit in its field %s", kindsOfJSON[m[1]], m[2])
		}
		return errors.New("one of its fields has a value of the wrong kind")
	}
	return fmt.Errorf("values must be a map, line %d column %d has %s", p.line+node.Line, node.Column, what)
}

// withoutQuoted cuts a message of the YAML library before the first thing in backticks, which is a value.
func withoutQuoted(message string) string {
	before, _, quoted := strings.Cut(message, "`")
	if quoted {
		return strings.TrimSpace(before) + " … (a value does not fit its tag)"
	}
	return message
}
