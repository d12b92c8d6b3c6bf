package page

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"time"

	"octo-operator/dispatch/runs"
)

// summary is a line in the list of runs.
type summary struct {
	ID      string    `json:"id"`
	Short   string    `json:"short"`
	Came    time.Time `json:"came"`
	Outcome string    `json:"outcome"` // one of package runs, or unfinished
	Reason  string    `json:"reason,omitempty"`
	Seconds float64   `json:"seconds,omitempty"` // from its start to its end
	Facts
}

const unfinished = "unfinished"

// listed is a part of the list of runs, the newest first.
type listed struct {
	Runs  []summary `json:"runs"`
	Total int       `json:"total"`          // run directories
	Next  string    `json:"next,omitempty"` // the id to ask for next, as before; empty: there are no more
}

const (
	perPage = 50
	// searchTime is how long one request looks through runs that do not match. The page goes on from there.
	searchTime = 200 * time.Millisecond
)

// list answers with the runs that match the words (q) and the outcome of the request, from the one before the id "before" on.
func (p *pages) list(r *http.Request) (any, error) {
	all, err := p.Runs()
	if err != nil {
		return nil, cannot("list the runs", err)
	}
	query := r.URL.Query()
	before, outcome, words := query.Get("before"), query.Get("outcome"), strings.Fields(strings.ToLower(query.Get("q")))
	answer := listed{Runs: []summary{}, Total: len(all)}
	began := time.Now()
	for i := len(all) - 1; i >= 0; i-- {
		if before != "" && all[i].ID >= before {
			continue
		}
		if s, known := p.summary(all[i]); known && (outcome == "" || outcome == s.Outcome) && s.has(words) {
			answer.Runs = append(answer.Runs, s)
		}
		if i > 0 && (len(answer.Runs) == perPage || time.Since(began) > searchTime) {
			answer.Next = all[i].ID
			break
		}
	}
	return answer, nil
}

// summary tells of a run; false: it has been removed meanwhile.
func (p *pages) summary(run *runs.Run) (summary, bool) {
	s := summary{ID: run.ID, Short: run.ShortID(), Came: cameAt(run), Outcome: unfinished}
	if result, err := run.Result(); err == nil {
		s.Outcome, s.Reason, s.Seconds = string(result.Outcome), result.Reason, result.Seconds
	}
	var err error
	s.Facts, err = p.Facts(run)
	return s, !errors.Is(err, fs.ErrNotExist)
}

// has tells whether each of the words, in lower case, stands somewhere in the line.
func (s summary) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	line := strings.ToLower(strings.Join([]string{s.ID, s.Callback, s.Tenant, s.Workload, s.Release, s.Pool, s.Chart, s.Outcome, s.Reason}, "\n"))
	for _, word := range words {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}
