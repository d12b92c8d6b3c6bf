package reason

import (
	"strconv"
	"strings"

	"octo-operator/text"
)

// manifestRefused returns the whole text of octo-operator look, because what to do comes last in it.
func manifestRefused(_ Failure, m match) string { return m.facts["why"] }

// templateFails explains an error in templates. They may include one another: helm names all of them, and the cause comes last.
func templateFails(_ Failure, m match) string {
	last := executing.FindStringSubmatch(m.words)
	for rest := m.words; ; {
		at := executing.FindStringSubmatchIndex(rest)
		if at == nil {
			break
		}
		last, rest = executing.FindStringSubmatch(rest), rest[at[2*4]:]
	}
	return m.with("place", last[1]+":"+last[2], "at", last[3], "why", last[4]).
		fill("template {place} fails at {at}: {why}: correct the values or the chart")
}

// executing matches what helm says of one template: helm 4 in three lines, helm 3 in one that goes on with the next template.
var executing = text.NewPattern(`([^\s:(]+):(\d+):\d+(?:: |\n)\s*executing "[^"\n]*" at <([^\n]*?)>:\s+(?:error calling \w+:\s+)?(?:template: )?([^\n]*)`)

// schemaViolated names the first value that the chart's schema does not allow. helm lists them in no particular order.
func schemaViolated(_ Failure, m match) string {
	var problems []string
	chart := ""
	for line := range strings.Lines(m.words[m.from:]) {
		line = strings.TrimRight(line, "\n")
		problem := violation.FindStringSubmatch(line)
		switch {
		case problem == nil && strings.HasSuffix(line, ":") && !strings.Contains(line, " ") && chart == "":
			chart = strings.TrimSuffix(line, ":")
		case problem != nil && !strings.HasSuffix(line, " failed"):
			problems = append(problems, valuePath(problem[1])+problem[2])
		}
	}
	if len(problems) == 0 {
		return m.fill("the schema of chart {chart} does not allow these values: correct them")
	}
	return m.with("schema", chart, "problem", problems[0]+more(len(problems)-1)).
		fill("the schema of chart {schema} does not allow these values: {problem}: correct them")
}

var violation = text.NewPattern(`^\s*- at '([^']*)': (.+)$`)

// valuePath formats a JSON pointer for people, as "port: ".
func valuePath(pointer string) string {
	if pointer == "" {
		return ""
	}
	return strings.ReplaceAll(strings.TrimPrefix(pointer, "/"), "/", ".") + ": "
}

// more is the end of a line that does not name all: how many others there are.
func more(count int) string {
	if count <= 0 {
		return ""
	}
	return " (and " + strconv.Itoa(count) + " more)"
}
