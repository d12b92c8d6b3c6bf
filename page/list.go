package page

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"octo-operator/dispatch/runs/story"
)

// listed is a part of the list of runs, the newest first.
type listed struct {
	Runs  []story.Summary `json:"runs"`
	Total int             `json:"total"`          // run directories
	Next  string          `json:"next,omitempty"` // the id for "before" in the next request; empty: there are no more
}

const (
	perPage = 50
	// searchTime bounds the search of one request through runs that do not match. The page then asks for the rest.
	searchTime = 200 * time.Millisecond
)

// list answers with the runs that match the words (q) and the outcome in the request, beginning with the one before the run with the id
// in "before".
func (p *pages) list(r *http.Request) (any, error) {
	store, err := p.Runs()
	if err != nil {
		return nil, err
	}
	all, err := store.List()
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	before, outcome, words := query.Get("before"), query.Get("outcome"), strings.Fields(strings.ToLower(query.Get("q")))
	answer := listed{Runs: []story.Summary{}, Total: len(all)}
	began := time.Now()
	for i, run := range slices.Backward(all) {
		if before != "" && run.ID >= before {
			continue
		}
		if s := story.Summarize(run, began); (outcome == "" || outcome == string(s.Outcome)) && has(s, words) {
			answer.Runs = append(answer.Runs, s)
		}
		if i > 0 && (len(answer.Runs) == perPage || time.Since(began) > searchTime) {
			answer.Next = run.ID
			break
		}
	}
	return answer, nil
}

// has tells whether each of the words, in lower case, occurs in what the list shows of a run.
func has(s story.Summary, words []string) bool {
	if len(words) == 0 {
		return true
	}
	line := strings.ToLower(strings.Join([]string{s.ID, s.Callback, s.Tenant, s.Workload, s.Release, s.Pool, string(s.Outcome), s.Reason}, "\n"))
	for _, word := range words {
		if !strings.Contains(line, word) {
			return false
		}
	}
	return true
}
