package check

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"octo-operator/hub"
	"octo-operator/journal"
	"octo-operator/names"
	"octo-operator/text"
)

// The forms that an event's fields must have: see check_event.go.

func anything(string, *hub.WorkloadDeployed) complaint { return complaint{} }

// onOneLine refuses what ends a line, or is no character: it could pass for another line of a log.
func onOneLine(text string) complaint {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return complaint{why: "holds a control character"}
	}
	return complaint{}
}

// printed refuses besides what cannot be seen, or turns the line round.
func printed(s string) complaint {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, text.NotPrinted) {
		return complaint{why: "holds a character that cannot be printed"}
	}
	return complaint{}
}

// aName becomes a part of names in the cluster, which know letters and digits alone.
func aName(text string, _ *hub.WorkloadDeployed) complaint {
	if text == "" {
		return complaint{why: "is empty"}
	}
	if c := printed(text); c.why != "" {
		return c
	}
	if names.Sanitize(text) == "" {
		return complaint{why: "holds no letter (a-z) or digit, of which names in the cluster are made"}
	}
	return complaint{}
}

const noRuntimeID = "is not 24 lowercase hexadecimal digits"

func aPoolID(text string, _ *hub.WorkloadDeployed) complaint {
	if text != "" && !hub.IsRtID(text) {
		return complaint{why: noRuntimeID}
	}
	return complaint{}
}

// aPoolName names the pool where it has no id. Elsewhere it is for people.
func aPoolName(text string, w *hub.WorkloadDeployed) complaint {
	if w.Named() && text != "" {
		return aName(text, w)
	}
	return complaint{}
}

// aWorkloadID may be missing in G1 alone, where the name names the workload.
func aWorkloadID(text string, w *hub.WorkloadDeployed) complaint {
	switch {
	case text == "" && w.Named():
		return complaint{}
	case text == "":
		return complaint{why: "is empty"}
	case !hub.IsRtID(text):
		return complaint{why: noRuntimeID}
	}
	return complaint{}
}

// aWorkloadName is any text, for people: it is escaped wherever it is shown.
func aWorkloadName(text string, w *hub.WorkloadDeployed) complaint {
	if text == "" && w.Named() {
		return complaint{why: "is empty"}
	}
	return complaint{}
}

func aRepository(text string, _ *hub.WorkloadDeployed) complaint {
	if c := printed(text); c.why != "" {
		return c
	}
	repository, err := url.Parse(text)
	switch {
	case err != nil || repository.Host == "" || (repository.Scheme != "http" && repository.Scheme != "https" && repository.Scheme != "oci"):
		return complaint{why: "is not an http://, https:// or oci:// URL"}
	case repository.User != nil:
		return complaint{"holds credentials", "they belong in repositoryUsername and repositoryPassword"}
	case repository.Scheme == "oci" && (repository.RawQuery != "" || repository.ForceQuery || repository.Fragment != ""):
		return complaint{"has a query or a fragment, which a registry does not know", remedy}
	}
	return complaint{}
}

func aUsername(text string, _ *hub.WorkloadDeployed) complaint { return onOneLine(text) }

// aPassword may be a file of several lines: the key of a cloud provider's service account is JSON.
func aPassword(text string, _ *hub.WorkloadDeployed) complaint {
	if text == journal.LostPassword {
		return complaint{"was lost when the operator's pod was replaced", "deploy again, and set OPERATOR__AUTHENTICATION__CLIENTSECRET, which seals it"}
	}
	return onOneLine(withoutLines.Replace(text))
}

var withoutLines = strings.NewReplacer("\r", "", "\n", "", "\t", "")

var chartLetters = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// aChartName is a name, or a path below the repository, out of which it does not lead.
func aChartName(text string, _ *hub.WorkloadDeployed) complaint {
	if !chartLetters.MatchString(text) || path.Clean(text) != text {
		return complaint{why: "is not the name of a chart"}
	}
	return complaint{}
}

// versionLetters are those of versions, of ranges (>= 1.0.0, < 2.0.0 || 3.x), and of a registry's tags and digests.
var versionLetters = regexp.MustCompile(`^[A-Za-z0-9 .,+_^~<>=!|*&@:-]*$`)

func aChartVersion(text string, _ *hub.WorkloadDeployed) complaint {
	if strings.HasPrefix(text, "-") || !versionLetters.MatchString(text) {
		return complaint{why: "is not a version, nor a range of versions"}
	}
	return complaint{}
}

var hostLetters = text.NewPattern(`^[\p{L}\p{N}*._:-]*$`)

// aHostname becomes the workload's address, https://…, where it has one.
func aHostname(text string, w *hub.WorkloadDeployed) complaint {
	if w.IngressEnabled && !hostLetters.MatchString(text) {
		return complaint{why: "is not the name of a host"}
	}
	return complaint{}
}

func Scale(s hub.WorkloadScale, most int) error {
	switch {
	case s.Replicas < 0:
		return fmt.Errorf("replicas is %d: it must be 0 or more", s.Replicas)
	case s.Replicas > most:
		return fmt.Errorf("replicas is %d: at most %d are allowed: ask for fewer, or raise OPERATOR__MAXREPLICAS", s.Replicas, most)
	}
	return nil
}
