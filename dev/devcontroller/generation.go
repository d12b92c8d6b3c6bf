package devcontroller

import (
	"fmt"
	"slices"
	"strings"
)

// Generation is a stage of the contract between controller and operator.
type Generation string

// The generations of the contract. An early G3 is G3 with Options.Lacks
// "ReportWorkloadScaleStatusAsync".
const (
	G1 Generation = "G1" // pools by name
	G3 Generation = "G3" // pools by rtId
	G4 Generation = "G4" // deployment sites
)

// ParseGeneration reads "G1", "G3" or "G4", in any case.
func ParseGeneration(text string) (Generation, error) {
	generation := Generation(strings.ToUpper(text))
	if !slices.Contains([]Generation{G1, G3, G4}, generation) {
		return "", fmt.Errorf("cannot read generation %q: want G1, G3 or G4", text)
	}
	return generation, nil
}

// poolKey is the property that identifies a pool in every DTO of the generation.
func (g Generation) poolKey() string {
	switch g {
	case G1:
		return "poolName"
	case G3:
		return "poolRtId"
	}
	return "deploymentSiteRtId"
}

// method is one hub method: what the operator may invoke.
type method struct {
	name       string
	parameters []parameter
	apply      func(*connection, Call) (result any, err error) // nil: only recorded
}

// methods are the hub methods of a generation.
func (g Generation) methods() []method {
	mode := []parameter{optionalBool}
	pool := []parameter{text, text}
	status := method{"ReportWorkloadDeploymentStatusAsync", []parameter{statusReport(g)}, reportStatus}
	if g == G1 {
		return []method{
			{"RegisterOperatorAsync", nil, registerOperator},
			{"UnregisterOperatorAsync", nil, unregisterOperator},
			{"RegisterPoolAsync", pool, registerPool},
			{"UnregisterPoolAsync", pool, unregisterPool},
			status,
		}
	}
	register, unregister := "RegisterPoolAsync", "UnregisterPoolAsync"
	if g == G4 {
		register, unregister = "RegisterDeploymentSiteAsync", "UnregisterDeploymentSiteAsync"
	}
	return []method{
		{"RegisterOperatorAsync", mode, registerOperator},
		{"UnregisterOperatorAsync", nil, unregisterOperator},
		{register, pool, registerPool},
		{unregister, pool, unregisterPool},
		status,
		{"ReportDeployedStateAsync", []parameter{deployedReport(g)}, reportDeployedState},
		{"ReportWorkloadDeploymentProgressAsync", []parameter{progressReport}, nil},
		{"ReportWorkloadScaleStatusAsync", []parameter{scaleReport}, nil},
	}
}

// methodTable indexes the methods of a generation by lower-case name, as ASP.NET ignores case.
func (g Generation) methodTable(lacks []string) map[string]method {
	table := map[string]method{}
	for _, m := range g.methods() {
		if !slices.ContainsFunc(lacks, func(name string) bool { return strings.EqualFold(name, m.name) }) {
			table[strings.ToLower(m.name)] = m
		}
	}
	return table
}
