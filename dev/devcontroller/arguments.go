package devcontroller

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// parameter is what one argument of a hub method must be. The real server refuses a value of
// the wrong kind; what a C# record lets pass but the contract does not (a missing tenantId,
// PascalCase) is no error on the wire: it is recorded as a violation.
type parameter struct {
	kind   kind
	fields []field // of an object, or of each object in a list
}

type kind int

const (
	kindText kind = iota
	kindBool
	kindNumber
	kindTexts
	kindObject
	kindObjects
)

type field struct {
	name string
	kind kind
	need need
}

type need int

const (
	optional need = iota
	present       // may be empty
	filled        // present and not empty
	rtID          // 24 lowercase hex
)

var (
	text         = parameter{kind: kindText}
	optionalBool = parameter{kind: kindBool}

	progressReport = parameter{kindObject, []field{
		{"tenantId", kindText, filled},
		{"workloadName", kindText, present},
		{"workloadRtId", kindText, rtID},
		{"message", kindText, filled},
	}}

	scaleReport = parameter{kindObject, []field{
		{"tenantId", kindText, filled},
		{"workloadRtId", kindText, rtID},
		{"workloadName", kindText, present},
		{"replicas", kindNumber, present},
		{"success", kindBool, present},
		{"statusMessage", kindText, optional},
	}}
)

func statusReport(g Generation) parameter {
	fields := []field{
		{"tenantId", kindText, filled},
		{"workloadName", kindText, present},
		{"workloadRtId", kindText, rtID},
		{"success", kindBool, present},
		{"statusMessage", kindText, optional},
	}
	if g == G1 {
		// An undeploy of G1 names no rtId, so a report about one cannot.
		fields[2].need = present
		fields = append(fields, field{"poolName", kindText, filled})
	}
	return parameter{kindObject, fields}
}

func deployedReport(g Generation) parameter {
	name := "poolName"
	if g == G4 {
		name = "deploymentSiteName"
	}
	return parameter{kindObjects, []field{
		{"tenantId", kindText, filled},
		{g.poolKey(), kindText, rtID},
		{name, kindText, optional},
		{"workloadRtIds", kindTexts, present},
	}}
}

// bindArguments checks the arguments as ASP.NET binds them.
func bindArguments(parameters []parameter, args []json.RawMessage) error {
	for i, arg := range args {
		if i < len(parameters) && !parameters[i].accepts(arg) {
			return invalidData("Error binding arguments. Make sure that the types of the provided values " +
				"match the types of the hub method being invoked.")
		}
	}
	if len(args) != len(parameters) {
		return invalidData("Invocation provides %d argument(s) but target expects %d.", len(args), len(parameters))
	}
	return nil
}

func (p parameter) accepts(raw json.RawMessage) bool {
	if string(raw) == "null" {
		return true // every parameter is nullable or a reference
	}
	switch p.kind {
	case kindObject:
		return acceptsObject(raw, p.fields)
	case kindObjects:
		var objects []json.RawMessage
		if json.Unmarshal(raw, &objects) != nil {
			return false
		}
		return !slices.ContainsFunc(objects, func(o json.RawMessage) bool { return !acceptsObject(o, p.fields) })
	}
	return p.kind.accepts(raw)
}

func acceptsObject(raw json.RawMessage, fields []field) bool {
	var object map[string]json.RawMessage
	if json.Unmarshal(raw, &object) != nil {
		return false
	}
	for name, value := range object {
		for _, f := range fields {
			// System.Text.Json refuses null for a bool or an int, not for a reference.
			null := string(value) == "null" && f.kind != kindBool && f.kind != kindNumber
			if strings.EqualFold(name, f.name) && !null && !f.kind.accepts(value) {
				return false
			}
		}
	}
	return true
}

func (k kind) accepts(raw json.RawMessage) bool {
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" {
		return false
	}
	var into any
	switch k {
	case kindText:
		into = new(string)
	case kindBool:
		into = new(bool)
	case kindNumber:
		into = new(int32)
	case kindTexts:
		into = new([]string)
	default:
		return true
	}
	return json.Unmarshal(raw, into) == nil
}

// violations says where bound arguments break the contract, one line each.
func violations(parameters []parameter, args []json.RawMessage) []string {
	var found []string
	for i, p := range parameters {
		switch p.kind {
		case kindText:
			if string(args[i]) == "null" || string(args[i]) == `""` {
				found = append(found, fmt.Sprintf("argument %d is empty", i+1))
			}
		case kindObject:
			found = append(found, objectViolations(args[i], p.fields)...)
		case kindObjects:
			var objects []json.RawMessage
			_ = json.Unmarshal(args[i], &objects) // bound before
			if objects == nil {
				found = append(found, fmt.Sprintf("argument %d is null, want a list", i+1))
			}
			for _, object := range objects {
				found = append(found, objectViolations(object, p.fields)...)
			}
		}
	}
	return found
}

func objectViolations(raw json.RawMessage, fields []field) []string {
	var object map[string]json.RawMessage
	_ = json.Unmarshal(raw, &object) // bound before
	if object == nil {
		return []string{"an object is null"}
	}
	var found []string
	for _, f := range fields {
		for name := range object {
			if name != f.name && strings.EqualFold(name, f.name) {
				found = append(found, fmt.Sprintf("%s is written %s", f.name, name))
			}
		}
		if complaint := f.complaint(object[f.name]); complaint != "" {
			found = append(found, fmt.Sprintf("%s %s", f.name, complaint))
		}
	}
	return found
}

func (f field) complaint(raw json.RawMessage) string {
	missing := raw == nil || string(raw) == "null"
	switch {
	case f.need == optional:
		return ""
	case missing:
		return "is missing"
	case f.need == filled && string(raw) == `""`:
		return "is empty"
	}
	var value string
	if f.need == rtID && (json.Unmarshal(raw, &value) != nil || !isRtID(value)) {
		return fmt.Sprintf("is %s, want 24 lowercase hex characters", raw)
	}
	return ""
}

func isRtID(value string) bool {
	return len(value) == 24 && strings.Trim(value, "0123456789abcdef") == ""
}
