// Package reason says why a step failed: the cause and what to do in one plain line, then what was done and seen, and the tool's own
// words. Fill in a Failure with what is known; Message explains it, by tables of the texts of helm, kubectl, the API server and pods. The
// package sends no requests and changes nothing.
package reason

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"octo-operator/text"
)

// Failure is what is known of a step that failed. Empty fields are unknown; Message has an answer even if all are.
type Failure struct {
	Step  string // one of scripts.ChartPull and so on; "": the operator itself found the reason, and words are its error
	Words string // of helm and kubectl: the end of stderr

	Hopeless string   // what proves that waiting could not help; "": the wait was not cut short
	Waiting  []string // what was not ready when the wait ended, such as "Deployment web: 1 of 2 replicas are available"
	Seen     []string // what pods and events say, such as "pod web-1: container app: ImagePullBackOff: …"

	Release, Namespace, Chart, Version, Repository string
	Account                                        string // the ServiceAccount as which helm and kubectl have acted; "": the operator's

	Webhook string        // the configuration of the webhook that failed, as "MutatingWebhookConfiguration NAME"; "": unknown
	Object  string        // the object on which kubectl worked, such as "Deployment web": for a conflict kubectl does not name it
	Timeout time.Duration // of the wait
	After   string        // what was done after the failure, such as "the release was rolled back to revision 3"; "": take it from helm's words

	// Hide takes secrets out of a text before it is cut: a secret that is cut would not be recognized. Nil: there are none.
	Hide func(string) string
}

const (
	maxReason  = 4 << 10 // bytes of a message: it is read by a person, in a table
	maxCause   = 600     // bytes of its first line
	maxSubject = 200     // bytes of what a tool says, within the first line
)

const (
	headingSeen  = "seen in the cluster:"
	headingWords = "the tool's own words:"
)

// Message explains the failure for a person: the cause in one plain line, what was done after it, what was seen in the cluster, and the
// tool's own words, in this order. It has at most maxReason bytes, no line twice and no control characters but newlines.
func (f Failure) Message() string {
	f = f.withoutSecrets()
	words := cleanWords(f.Words)
	m := newMessage()
	m.add("", f.cause(words), cmp.Or(f.After, whatHelmDid(words)))
	m.add(headingSeen, f.found()...)
	m.add(headingWords, strings.Split(words, "\n")...)
	return m.text.String()
}

func (f Failure) withoutSecrets() Failure {
	if f.Hide == nil {
		return f
	}
	all := func(lines []string) (hidden []string) {
		for _, line := range lines {
			hidden = append(hidden, f.Hide(line))
		}
		return hidden
	}
	f.Words, f.Hopeless, f.After = f.Hide(f.Words), f.Hide(f.Hopeless), f.Hide(f.After)
	f.Waiting, f.Seen = all(f.Waiting), all(f.Seen)
	return f
}

// found returns all that was seen, without the lines of Seen that Hopeless repeats behind the name of an object.
func (f Failure) found() []string {
	seen := slices.DeleteFunc(slices.Clone(f.Seen), func(line string) bool { return strings.HasSuffix(f.Hopeless, ": "+line) })
	return slices.Concat([]string{f.Hopeless}, f.Waiting, seen)
}

// cause returns the first line of the message.
func (f Failure) cause(words string) string {
	line := f.explain(words)
	if line == "" && words == "" {
		line = f.notReady()
	}
	if line == "" {
		line = FirstLine(words)
	}
	return cmp.Or(plainLine(line, maxCause), cmp.Or(f.Step, "the step")+" failed and said nothing: see the operator's log")
}

// helmsEnds are the beginnings of helm's error when it was told to clean up after itself, with what it has done then.
var helmsEnds = []struct {
	words *text.Pattern
	after string
}{
	{helmSays(`an error occurred while rolling back the release`), "the release was left half changed: helm could not roll it back"},
	{helmSays(`unable to find a previously successful release`), "the release was left as it failed: there is no successful revision to roll back to"},
	{helmSays(`an error occurred while uninstalling the release`), "the release was left half installed: helm could not uninstall it"},
	{helmSays(`release \S+ failed, and has been rolled back due to`), "the release was rolled back"},
	{helmSays(`release \S+ failed, and has been uninstalled due to`), "the release was uninstalled"},
}

func helmSays(words string) *text.Pattern {
	return text.NewPattern(`(?m)^Error: (?:UPGRADE FAILED: )?` + words)
}

func whatHelmDid(words string) string {
	for _, end := range helmsEnds {
		if end.words.MatchString(words) {
			return end.after
		}
	}
	return ""
}

// message collects lines up to maxReason bytes.
type message struct {
	text strings.Builder
	has  map[string]bool
}

func newMessage() *message { return &message{has: map[string]bool{}} }

// leastPart is how much of a line must fit, in bytes: less would not be understood.
const leastPart = 40

// add appends the lines that are new, as far as they fit. The heading comes before the first of them.
func (m *message) add(heading string, lines ...string) {
	for _, line := range lines {
		line = strings.TrimRight(text.Printable(line), " ")
		key := strings.TrimSpace(line)
		if key == "" || m.has[key] || m.has[plainLine(line, maxCause)] {
			continue
		}
		m.has[key] = true
		if heading != "" {
			line, heading = heading+"\n"+line, ""
		}
		if m.text.Len() > 0 {
			line = "\n" + line
		}
		room := maxReason - m.text.Len()
		if room < len(line) && room < len(line)-len(key)+leastPart {
			return
		}
		m.text.WriteString(text.Clip(line, room))
	}
}

// plainLine makes one line of a text, and removes what helm and kubectl begin their errors with.
func plainLine(line string, limit int) string {
	line = strings.Join(strings.Fields(text.Printable(line)), " ")
	for {
		stripped := errorPrefix.ReplaceAllString(line, "")
		if stripped == line {
			return strings.TrimRight(text.Clip(line, limit), ": ")
		}
		line = stripped
	}
}

// See adds what was found in the cluster by a later look: lines as in Seen.
func (f *Failure) See(found []string) { f.Seen = Later(f.Seen, found) }

// Later merges the findings of a later look into those of an earlier one. If both have a line about the same object with the same reason,
// only the newer stays: each event of a Job that is tried again and again has another pod's name.
func Later(earlier, found []string) []string {
	left := slices.DeleteFunc(slices.Clone(earlier), func(line string) bool {
		about := aboutWhat(line)
		return !slices.Contains(found, line) && slices.ContainsFunc(found, func(newer string) bool { return about != "" && aboutWhat(newer) == about })
	})
	return append(left, found...)
}

// aboutWhat returns the object, its container and the reason of a line: "job init: FailedCreate" of "job init: FailedCreate: exceeded quota",
// "pod web-1: container app: ErrImagePull" of "pod web-1: container app: ErrImagePull: unauthorized"; "" if the line has no reason.
func aboutWhat(line string) string {
	parts, reason := strings.Split(line, ": "), 1
	if len(parts) > 1 && strings.HasPrefix(parts[1], "container ") {
		reason = 2
	}
	if len(parts) < reason+2 {
		return ""
	}
	return strings.Join(parts[:reason+1], ": ")
}

// Error returns the message as an error that wraps cause.
func (f *Failure) Error(cause error) error { return &explainedError{f.Message(), cause} }

type explainedError struct {
	text  string
	cause error
}

func (e *explainedError) Error() string { return e.text }
func (e *explainedError) Unwrap() error { return e.cause }
