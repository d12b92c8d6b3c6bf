package check

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"octo-operator/dispatch/journal"
	"octo-operator/hub"
	"octo-operator/names"
	"octo-operator/text"
)

// The rules for the text of each field. The fields of each event are in event.go.

// anyText is the check of a field that may hold any text.
func anyText(string, *hub.WorkloadDeployed) problem { return problem{} }

// checkLine refuses characters that end a line or control a terminal, and invalid UTF-8: the text could pass for another line of a log.
func checkLine(text string) problem {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return problem{what: "holds a control character"}
	}
	return problem{}
}

// checkPrintable also refuses characters that are invisible or change the direction of the line.
func checkPrintable(s string) problem {
	if !utf8.ValidString(s) || strings.ContainsFunc(s, text.NotPrinted) {
		return problem{what: "holds a character that cannot be printed"}
	}
	return problem{}
}

// checkName is for texts that become a part of names in the cluster, which consist of letters and digits only.
func checkName(text string, _ *hub.WorkloadDeployed) problem {
	if text == "" {
		return problem{what: "is empty"}
	}
	if p := checkPrintable(text); p.what != "" {
		return p
	}
	if names.Sanitize(text) == "" {
		return problem{what: "holds no letter (a-z) or digit, of which names in the cluster are made"}
	}
	return problem{}
}

const notRuntimeID = "is not 24 lowercase hexadecimal digits"

// checkPoolID allows an empty id: checkPool knows which events need one.
func checkPoolID(text string, _ *hub.WorkloadDeployed) problem {
	if text != "" && !hub.IsRtID(text) {
		return problem{what: notRuntimeID}
	}
	return problem{}
}

// checkPoolName checks the name if the pool is known by its name and has no id. Otherwise it is only for people, and may be any text.
func checkPoolName(text string, w *hub.WorkloadDeployed) problem {
	if w.Named() && text != "" {
		return checkName(text, w)
	}
	return problem{}
}

// checkWorkloadID allows an empty id only in G1, where the workload is known by its name.
func checkWorkloadID(text string, w *hub.WorkloadDeployed) problem {
	switch {
	case text == "" && w.Named():
		return problem{}
	case text == "":
		return problem{what: "is empty"}
	case !hub.IsRtID(text):
		return problem{what: notRuntimeID}
	}
	return problem{}
}

// checkWorkloadName allows any text, which is escaped wherever it is shown, but in G1 no empty one.
func checkWorkloadName(text string, w *hub.WorkloadDeployed) problem {
	if text == "" && w.Named() {
		return problem{what: "is empty"}
	}
	return problem{}
}

// checkRepositoryURL requires the address of a chart repository or of a registry.
func checkRepositoryURL(text string, _ *hub.WorkloadDeployed) problem {
	if p := checkPrintable(text); p.what != "" {
		return p
	}
	repository, err := url.Parse(text)
	switch {
	case err != nil || repository.Host == "" || (repository.Scheme != "http" && repository.Scheme != "https" && repository.Scheme != "oci"):
		return problem{what: "is not an http://, https:// or oci:// URL"}
	case repository.User != nil:
		return problem{"holds credentials", "they belong in repositoryUsername and repositoryPassword"}
	case repository.Scheme == "oci" && (repository.RawQuery != "" || repository.ForceQuery || repository.Fragment != ""):
		return problem{"has a query or a fragment, which a registry does not know", remedy}
	}
	return problem{}
}

// checkUsername allows one line.
func checkUsername(text string, _ *hub.WorkloadDeployed) problem { return checkLine(text) }

// checkPassword allows several lines: the key of a cloud provider's service account is a JSON file.
func checkPassword(text string, _ *hub.WorkloadDeployed) problem {
	if text == journal.LostPassword {
		return problem{"was lost when the operator's pod was replaced", "deploy again, and set OPERATOR__AUTHENTICATION__CLIENTSECRET, which seals it"}
	}
	return checkLine(withoutLines.Replace(text))
}

var withoutLines = strings.NewReplacer("\r", "", "\n", "", "\t", "")

var chartLetters = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]*$`)

// checkChartName requires a name, or a path that does not lead out of the repository.
func checkChartName(text string, _ *hub.WorkloadDeployed) problem {
	if !chartLetters.MatchString(text) || path.Clean(text) != text {
		return problem{what: "is not the name of a chart"}
	}
	return problem{}
}

// versionLetters are the characters of versions, of ranges (>= 1.0.0, < 2.0.0 || 3.x), and of a registry's tags and digests.
var versionLetters = regexp.MustCompile(`^[A-Za-z0-9 .,+_^~<>=!|*&@:-]*$`)

// checkChartVersion allows a version, a range of versions, or nothing. It must not begin like a flag.
func checkChartVersion(text string, _ *hub.WorkloadDeployed) problem {
	if strings.HasPrefix(text, "-") || !versionLetters.MatchString(text) {
		return problem{what: "is not a version, nor a range of versions"}
	}
	return problem{}
}

var hostLetters = text.NewPattern(`^[\p{L}\p{N}*._:-]*$`)

// checkHostname checks a host that is used: it becomes the workload's address, https://…
func checkHostname(text string, w *hub.WorkloadDeployed) problem {
	if w.IngressEnabled && !hostLetters.MatchString(text) {
		return problem{what: "is not the name of a host"}
	}
	return problem{}
}
