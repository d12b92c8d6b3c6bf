package page

import (
	"net/http"
	"time"

	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
)

// Now is the present state of the operator.
type Now struct {
	Time       time.Time `json:"time"`
	Version    string    `json:"version"`
	Controller string    `json:"controller,omitempty"` // its address; empty: there is none
	Connected  bool      `json:"connected"`
	Generation string    `json:"generation,omitempty"` // of the controller; empty: not connected
	Leads      bool      `json:"leads"`
	Leader     string    `json:"leader,omitempty"`  // who leads, if this operator does not; empty: not known
	Trouble    string    `json:"trouble,omitempty"` // why it cannot work, one reason per line; empty: it can
	Work       []Work    `json:"work"`              // unfinished events, the oldest first
	Pools      []Pool    `json:"pools"`             // sorted by tenant and id
}

// Work is an unfinished event.
type Work struct {
	ID    string     `json:"id"`      // of its run
	Short string     `json:"shortId"` // the id that people see
	Came  time.Time  `json:"came"`
	Since time.Time  `json:"since"` // when the phase or the wait began
	Phase string     `json:"phase,omitempty"`
	Wait  string     `json:"wait,omitempty"`  // one of the waits of a runs.Moment; empty: it runs
	Text  string     `json:"text,omitempty"`  // what it waits for, in words
	Words string     `json:"words"`           // what it does or waits for, as a sentence; set by this package
	Until *time.Time `json:"until,omitempty"` // when it is tried again

	Callback string `json:"callback"`
	Tenant   string `json:"tenant,omitempty"`
	Workload string `json:"workload,omitempty"`
	Release  string `json:"release,omitempty"`
}

// Pool is a pool and the state of its registration at the controller.
type Pool struct {
	Tenant string `json:"tenant"`
	ID     string `json:"id"`
	Status string `json:"status"`             // one of hub.Status…, or "Failed: " and the reason
	Object string `json:"resource,omitempty"` // its custom resource: kind, namespace and name
}

// most is how many unfinished events, and how many pools, are sent. After an outage there may be thousands.
const most = 500

// nowShown is Now, with how many events and pools are left out.
type nowShown struct {
	Now
	MoreWork  int `json:"moreWork,omitempty"`
	MorePools int `json:"morePools,omitempty"`
}

func (p *pages) now(*http.Request) (any, error) {
	shown := nowShown{Now: p.Now()}
	shown.Time = time.Now()
	shown.MoreWork, shown.MorePools = max(0, len(shown.Work)-most), max(0, len(shown.Pools)-most)
	// In JSON an empty list, not null.
	shown.Work = append([]Work{}, shown.Work[:min(most, len(shown.Work))]...)
	shown.Pools = append([]Pool{}, shown.Pools[:min(most, len(shown.Pools))]...)
	for i := range shown.Work {
		shown.Work[i].Words = shown.Work[i].words()
	}
	return shown, nil
}

func (w Work) words() string {
	switch {
	case w.Wait != "":
		return story.WaitWords(runs.Moment{Name: w.Wait, Text: w.Text})
	case w.Phase != "":
		return story.PhaseWords(w.Phase)
	}
	return "begins"
}
