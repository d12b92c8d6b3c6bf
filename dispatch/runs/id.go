package runs

import (
	"strings"

	"octo-operator/hub"
)

// End is the random end of the id, 6 hexadecimal digits: what people type, and the log tells them.
func (r *Run) End() string { return r.ID[strings.LastIndexByte(r.ID, '-')+1:] }

// Named is what the id says of the event: its callback, one of hub.Callbacks, and its lane without kind and namespace, in lower case and
// cut to 60 bytes: a release, a tenant, or a hash of a pool. "": the id does not say it.
func (r *Run) Named() (callback, lane string) {
	rest, found := strings.CutPrefix(r.ID[min(len(r.ID), len(idTime)):], "-")
	rest, found2 := strings.CutSuffix(rest, "-"+r.End())
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
