package doctor

import (
	"context"
	"time"

	"octo-operator/dispatch/journal"
)

// leader tells who holds the Lease.
func (x *examination) leader(ctx context.Context) []Finding {
	if !x.Settings.ClusterJournal {
		return []Finding{found(OK, "leader", "OPERATOR__CLUSTERJOURNAL is false: there is no Lease, and must be no second operator")}
	}
	h, err := journal.ReadHolder(ctx, x.api, x.Settings.PoolNamespace, x.Settings.ControllerURI)
	if err != nil {
		return []Finding{found(Fail, "leader", "cannot read the Lease %s: %v", h.Lease, err).todo(allowIt)}
	}
	who := h.Name
	if x.hasState && h.Identity != "" && h.Identity == x.runs.KnownIdentity() {
		who += ", which is this operator,"
	}
	age := x.now().Sub(h.Renewed).Round(time.Second)
	held := h.Renewed.UTC().Format(time.RFC3339)
	switch {
	case h.Name == "":
		return []Finding{found(Warn, "leader", "nobody has led yet: there is no Lease %s in %s", h.Lease, x.Settings.PoolNamespace).
			todo("start an operator; if one runs, look at its log: it says why it does not lead")}
	case h.GivenUp:
		return []Finding{found(Warn, "leader", "nobody leads since %s: %s has ended", held, who).
			todo("start an operator; if one runs, look at its log: it says why it does not lead")}
	case age > h.Valid:
		return []Finding{found(Fail, "leader", "nobody leads: %s has not renewed the Lease %s for %s", who, h.Lease, age).
			todo("look whether the pod %s runs, and at its log: kubectl get pods, kubectl logs; the next operator that runs takes the Lease", h.Name)}
	}
	since := ""
	if !h.Acquired.IsZero() {
		since = " since " + h.Acquired.UTC().Format(time.RFC3339)
	}
	return []Finding{found(OK, "leader", "%s leads%s; the Lease %s was renewed %s ago", who, since, h.Lease, max(age, 0))}
}
