package runs

import (
	"strings"

	"octo-operator/hub"
)

// RandomEnd is the end of the id, 6 hexadecimal digits: the shortest that a person needs to name the run, as in the text log.
func (r *Run) RandomEnd() string { return r.ID[strings.LastIndexByte(r.ID, '-')+1:] }

// Is tells whether id names this run: it may be the whole id, the short one, or its random end.
func (r *Run) Is(id string) bool { return id == r.ID || id == r.ShortID() || id == r.RandomEnd() }

// Named returns what the id says of the event: its callback, one of hub.Callbacks, and its lane without kind and namespace, in lower case and cut
// to 60 bytes (a release, a tenant, or the hash of a pool). "": the id does not say it.
func (r *Run) Named() (callback, lane string) {
	rest, found := strings.CutPrefix(r.ID[min(len(r.ID), len(idTime)):], "-")
	rest, found2 := strings.CutSuffix(rest, "-"+r.RandomEnd())
	if !found || !found2 {
		return "", ""
	}
	for _, callback := range hub.Callbacks {
		if lane, is := strings.CutPrefix(rest, kebab(callback)+"-"); is {
			return callback, lane
		}
	}
	return "", ""
}
