package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"strconv"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
	"octo-operator/text"
)

// shownRun is a run without its output and its values, for which there are other requests.
type shownRun struct {
	story.Story
	Event     string `json:"event"` // as JSON for people, without secrets
	Timeline  []step `json:"timeline"`
	Steps     int    `json:"steps"` // how many there are; the timeline has the last of them
	HasValues bool   `json:"hasValues"`
	Now       *Work  `json:"now,omitempty"` // what it does or waits for; nil: it has ended
}

// step is a step with a description in words.
type step struct {
	story.Step
	Words string `json:"words"`
}

func stepsInWords(all []story.Step) []step {
	steps := make([]step, len(all))
	for i, s := range all {
		steps[i] = step{Step: s, Words: s.Name}
		switch s.Kind {
		case runs.KindPhase:
			steps[i].Words = story.PhaseWords(s.Name)
		case runs.KindWait:
			steps[i].Words = story.WaitWords(runs.Moment{Name: s.Name})
		}
	}
	return steps
}

// Limits of what a browser gets of a run. The rest is in the run directory.
const (
	mostText  = 1 << 20 // bytes of the event
	mostSteps = 2000    // there are more if an event is tried for days
)

func (p *pages) run(r *http.Request) (any, error) {
	run, err := p.found(r)
	if err != nil {
		return nil, err
	}
	shown := shownRun{Story: story.Read(run, time.Now())}
	shown.Event, shown.HasValues, shown.Steps = pretty(shown.Story.Event), shown.Values.Text != "", len(shown.Story.Timeline)
	shown.Timeline = stepsInWords(shown.Story.Timeline[max(0, shown.Steps-mostSteps):])
	shown.Commands, shown.Output, shown.Values, shown.Story.Event = nil, story.Text{}, story.Text{}, nil
	if shown.Result == nil {
		shown.Now = p.workOn(run.ID)
	}
	return shown, nil
}

func (p *pages) workOn(id string) *Work {
	for _, work := range p.Now().Work {
		if work.ID == id {
			work.Words = work.words()
			return &work
		}
	}
	return nil
}

// pretty formats JSON for people, and cuts it to mostText.
func pretty(argument json.RawMessage) string {
	var b bytes.Buffer
	if json.Indent(&b, argument, "", "  ") != nil {
		return ""
	}
	return text.Shortened(b.String(), mostText)
}

// outputPart is a part of output.log.
type outputPart struct {
	From  int64  `json:"from"` // where the part begins in the file, in bytes
	Next  int64  `json:"next"` // where it ends
	Size  int64  `json:"size"` // of the file
	Text  string `json:"text"` // whole lines, unless a line is longer than a whole part
	Ended bool   `json:"ended"`
}

// mostOutput is how many bytes of output.log one answer has.
const mostOutput = 128 << 10

// output answers with the part of output.log that begins at the byte "from", or with the file's end if there is no "from".
func (p *pages) output(r *http.Request) (any, error) {
	run, err := p.found(r)
	if err != nil {
		return nil, err
	}
	part := outputPart{Ended: run.Has("result.json")} // before the file is read: if the run has ended, the output is complete
	f, size, err := runs.OpenFile(run.Path("output.log"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, runs.ErrNoFile) {
		return part, nil
	}
	if err != nil {
		return nil, cannot("read the output", err)
	}
	defer f.Close()
	part.Size = size
	from, err := strconv.ParseInt(r.URL.Query().Get("from"), 10, 64)
	fromEnd := err != nil || from < 0
	if fromEnd {
		from = max(0, part.Size-mostOutput)
	}
	read := make([]byte, min(mostOutput, max(0, part.Size-from)))
	n, err := f.ReadAt(read, from)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, cannot("read the output", err)
	}
	all := part.Ended && from+int64(n) >= part.Size
	part.From, part.Text = wholeLines(read[:n], from, fromEnd && from > 0, !all)
	part.Next = part.From + int64(len(part.Text))
	part.Text = string(bytes.ToValidUTF8([]byte(part.Text), []byte("\uFFFD")))
	return part, nil
}

// wholeLines cuts what was read from the byte from on at line breaks: its beginning if cutBegin, and its end, where more of the last line
// may follow, if cutEnd.
func wholeLines(read []byte, from int64, cutBegin, cutEnd bool) (begin int64, lines string) {
	if i := bytes.IndexByte(read, '\n'); cutBegin && i >= 0 {
		read, from = read[i+1:], from+int64(i+1)
	}
	if i := bytes.LastIndexByte(read, '\n'); cutEnd && i >= 0 {
		read = read[:i+1]
	} else if cutEnd && len(read) < mostOutput {
		read = nil // only a line that is still being written
	}
	return from, string(read)
}

// mostValues is how many values are sent, and mostValue how many bytes of each.
const (
	mostValues = 5000
	mostValue  = 2 << 10
)

// shownValues is the answer with the values of a deploy.
type shownValues struct {
	Values []Value `json:"values"`
	More   int     `json:"more,omitempty"` // how many are left out
}

func (p *pages) values(r *http.Request) (any, error) {
	run, err := p.found(r)
	if err != nil {
		return nil, err
	}
	select {
	case p.merges <- struct{}{}:
		defer func() { <-p.merges }()
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	all, err := p.Values(r.Context(), run)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, cannot("show the values", err)
	}
	shown := shownValues{Values: append([]Value{}, all[:min(mostValues, len(all))]...), More: max(0, len(all)-mostValues)}
	for i := range shown.Values {
		shown.Values[i].Value = text.Shortened(shown.Values[i].Value, mostValue)
	}
	return shown, nil
}
