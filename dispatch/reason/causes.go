package reason

import (
	"maps"
	"slices"
	"strings"
	"time"

	"octo-operator/scripts"
	"octo-operator/text"
)

// cause is one way in which a step fails: how the tool words it, and what a person needs to know. The first match in a table counts, so
// more specific causes come first.
type cause struct {
	words *text.Pattern
	line  string                      // what a person needs to know: {name} is a group of words, or one of Failure.facts
	build func(Failure, match) string // instead of line; "": this cause does not apply after all
}

// match is where the words of a cause were found, and the texts for its {name}s.
type match struct {
	words string // all that the tool has printed
	from  int    // where the cause begins in them
	facts map[string]string
}

// explain looks up the tool's words in the table of its step. "": no cause there matches.
func (f Failure) explain(words string) string {
	switch f.Step {
	case "":
		return "" // the operator's own errors need no explanation
	case scripts.ChartPull:
		return f.lookUp(pullCauses, words)
	case scripts.PoolDeploy, scripts.PoolUndeploy:
		return f.lookUp(poolCauses, words)
	}
	return f.lookUp(deployCauses, words)
}

func (f Failure) lookUp(table []cause, words string) string {
	for _, c := range table {
		if line := c.explain(f, words); line != "" {
			return line
		}
	}
	return ""
}

func (c cause) explain(f Failure, words string) string {
	at := c.words.FindStringSubmatchIndex(words)
	if at == nil {
		return ""
	}
	m := match{words: words, from: at[0], facts: f.facts()}
	for i, name := range c.words.SubexpNames() {
		if name != "" && at[2*i] >= 0 {
			m.facts[name] = words[at[2*i]:at[2*i+1]]
		}
	}
	if m.facts["object"] == "" {
		m.facts["object"] = f.objectAt(m)
	}
	if c.build != nil {
		return c.build(f, m)
	}
	return m.fill(c.line)
}

// facts returns the {name}s that every line may use.
func (f Failure) facts() map[string]string {
	chart := strings.TrimSpace("chart " + f.Chart + " " + f.Version)
	return map[string]string{
		"release": f.Release, "namespace": f.Namespace, "chart": f.Chart, "version": f.Version, "chartVersion": chart,
		"repository": f.Repository, "timeout": shortDuration(f.Timeout), "step": f.Step,
	}
}

var placeholder = text.NewPattern(`\{\w+\}`)

// fill replaces the {name}s in a line by the facts.
func (m match) fill(line string) string {
	return placeholder.ReplaceAllStringFunc(line, func(name string) string { return m.fact(strings.Trim(name, "{}")) })
}

// fact returns a fact in the form that it has within a line.
func (m match) fact(name string) string { return plainLine(m.facts[name], maxSubject) }

// with returns the match with additional facts.
func (m match) with(pairs ...string) match {
	facts := maps.Clone(m.facts)
	for pair := range slices.Chunk(pairs, 2) {
		facts[pair[0]] = pair[1]
	}
	return match{m.words, m.from, facts}
}

// namedObject matches how helm 4 and helm 3 name the object before an error about it.
var namedObject = text.NewPattern(`object [^/\s]*/(\S+) \S*, Kind=(\w+): |patch "([^"]+)" with kind (\w+): `)

// objectAt returns the object that the error at a match is about.
func (f Failure) objectAt(m match) string {
	for _, at := range slices.Backward(namedObject.FindAllStringSubmatchIndex(m.words, -1)) {
		if at[0] <= m.from {
			named := namedObject.FindStringSubmatch(m.words[at[0]:at[1]])
			return named[2] + named[4] + " " + named[1] + named[3]
		}
	}
	switch {
	case m.facts["kind"] != "":
		kind, _, _ := strings.Cut(m.facts["kind"], ".")
		if kind == strings.ToLower(kind) {
			return kind + "/" + m.facts["name"] // a resource, as kubectl writes it
		}
		return kind + " " + m.facts["name"]
	case f.Object != "":
		return f.Object
	}
	return "an object of the chart"
}

// shortDuration formats 5m as "5m", where Go has "5m0s".
func shortDuration(d time.Duration) string {
	text := d.String()
	if short, whole := strings.CutSuffix(text, "m0s"); whole {
		text = short + "m"
	}
	if short, whole := strings.CutSuffix(text, "h0m"); whole {
		text = short + "h"
	}
	return text
}
