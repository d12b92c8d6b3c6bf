package web

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pools are the rules for the specs of pool resources, by the last part of the webhook's path (KubeOps derives it from the name of the
// reference operator's class). A rule returns why it refuses a spec; "": it does not. The same rules are in deploy/crds, where they hold
// also without this operator.
var pools = map[string]func(spec) string{
	"v1communicationpoolentity": checkCommunicationPool,
	"v1deploymentsiteentity":    func(s spec) string { return s.wantID("deploymentSiteRtId", "deployment site") },
}

// checkCommunicationPool recognizes a pool of G1 by the resource itself: it has a name and no poolRtId, which the custom resource
// definition of that time does not have.
func checkCommunicationPool(s spec) string {
	if _, ok := s["poolRtId"]; !ok && strings.TrimSpace(s.text("poolName")) != "" {
		return ""
	}
	return s.wantID("poolRtId", "pool")
}

// spec holds the fields of a resource's spec that are not null, as JSON.
type spec map[string]json.RawMessage

// parseSpec returns an empty spec for a text that is no object: it lacks every field.
func parseSpec(text json.RawMessage) spec {
	var s spec
	if json.Unmarshal(text, &s) != nil {
		return nil
	}
	maps.DeleteFunc(s, func(_ string, value json.RawMessage) bool { return string(value) == "null" })
	return s
}

// text returns the string in a field; "": there is none.
func (s spec) text(name string) string {
	var text string
	_ = json.Unmarshal(s[name], &text)
	return text
}

var runtimeID = regexp.MustCompile(`^[a-f0-9]{24}$`)

func (s spec) wantID(name, what string) string {
	value, ok := s[name]
	switch {
	case !ok:
		return fmt.Sprintf("spec.%s is not set: it must be the runtime id that the controller has given the %s, 24 digits of 0-9 and a-f", name, what)
	case !runtimeID.MatchString(s.text(name)):
		return fmt.Sprintf("spec.%s: %s is not the runtime id of a %s, which is 24 digits of 0-9 and a-f in lower case: copy it from the controller",
			name, cut(string(value)), what)
	}
	return ""
}

// cut shortens a text that somebody has sent, and replaces whatever would control a terminal.
func cut(text string) string {
	const longest = 100
	if len(text) > longest {
		text = text[:longest] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}
