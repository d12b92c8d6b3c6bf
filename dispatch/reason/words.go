package reason

import (
	"strings"

	"octo-operator/text"
)

// noise matches lines in which helm and kubectl tell about their work and not about its failure, or repeat what their error says.
var noise = text.NewPattern(`^(?:` + strings.Join([]string{
	`level=\w+ `,                 // helm 4's log
	`[EWIF]\d{4} [0-9:.]+ +\d+ `, // klog's: E1123 11:35:18.625841    4711 request.go:1198] …
	`\+ `,                        // a command that a script announces
	`Hang tight while we grab the latest`, `\.\.\.Successfully got an update from`, `Update Complete\. `,
	`Release "[^"]*" does not exist\. Installing it now\.`,
	`Use --debug flag to render out invalid YAML`,
	`Warning: resource \S+ is missing the kubectl\.kubernetes\.io/last-applied-configuration annotation`,
}, `|`) + `)`)

// advice matches hints for people who type the commands themselves.
var advice = text.NewPattern(`(?m)^Please review the fields above(?s:.*?)#conflicts$\n?|` +
	`; if you choose to ignore these errors, turn validation off with --validate=false|` +
	`\.? \(try 'helm repo update'\)`)

// dump matches a whole object within an error, with a hundred fields that are null.
var dump = text.NewPattern(`Invalid value: \{[^\n]{200,}?\}: `)

// nextObject matches where helm goes on with another object in the same line.
var nextObject = text.NewPattern(` && (conflict occurred while applying object|server-side apply failed for object|cannot patch ")`)

// cleanWords returns the lines of a tool's stderr that a person wants to read.
func cleanWords(stderr string) string {
	var lines []string
	for line := range strings.Lines(stderr) {
		line = strings.TrimRight(text.Printable(line), " ")
		if line != "" && !noise.MatchString(line) {
			lines = append(lines, line)
		}
	}
	words := advice.ReplaceAllString(strings.Join(lines, "\n"), "")
	words = dump.ReplaceAllString(words, "Invalid value: {…}: ")
	words = nextObject.ReplaceAllString(withoutRepetition(words), "\n$1")
	return strings.TrimSpace(words)
}

// withoutRepetition shortens helm's words if the rollback fails for the same reason as the upgrade.
func withoutRepetition(words string) string {
	at := originalError.FindStringIndex(words)
	if at == nil {
		return words
	}
	const between = ": "
	errs := words[at[1]:]
	half := max(0, len(errs)-len(between)) / 2
	if once := errs[:half]; errs == once+between+once {
		return words[:at[1]] + once
	}
	return words
}

var originalError = text.NewPattern(`original (?:upgrade|install) error: `)

// errorPrefix matches the beginnings of errors that say nothing.
var errorPrefix = text.NewPattern(`^(?:` + strings.Join([]string{
	`[Ee]rror: `, `octo-operator: `, `Error from server(?: \(\w+\))?: `, `(?:UPGRADE|INSTALLATION|ROLLBACK) FAILED: `,
	`release \S+ failed, and has been (?:rolled back|uninstalled) due to \S+ being set: `,
	`an error occurred while (?:rolling back|uninstalling) the release\. ` + originalError.String(),
	`unable to find a previously successful release when attempting to rollback\. ` + originalError.String(),
	`[0-9]+ errors? occurred: `, `\* `,
}, `|`) + `)+`)

// FirstLine returns the first line that says something and is no warning. If it ends with a colon, it returns the next one with it.
func FirstLine(words string) string {
	first := ""
	for line := range strings.Lines(words) {
		if strings.HasPrefix(line, "Warning: ") {
			continue
		}
		first = strings.TrimSpace(first + " " + strings.TrimSpace(line))
		if plainLine(first, maxCause) != "" && !strings.HasSuffix(first, ":") {
			break
		}
	}
	return first
}
