package journal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"octo-operator/kube"
)

// leaseName names the Lease of a controller's operators.
func leaseName(controller string) string { return "octo-operator-" + shortHash(controller) }

// Holder is what the Lease says of its holder, for commands that only show it. A Leader decides by what it has observed itself.
type Holder struct {
	Lease    string        // its name
	Name     string        // of the host that holds it, or was the last to do so; "": nobody ever has
	Identity string        // of that operator: see runs.Store.Identity
	Acquired time.Time     // since when it has been this one's; zero: not known
	Renewed  time.Time     // by its holder's clock
	Valid    time.Duration // after Renewed
	GivenUp  bool          // nobody leads: the holder has ended well
}

// ReadHolder reads the Lease of a controller's operators. The error is the API server's; there is none if there is no Lease.
func ReadHolder(ctx context.Context, api API, namespace, controller string) (Holder, error) {
	h := Holder{Lease: leaseName(controller)}
	var found lease
	err := api.Do(ctx, http.MethodGet, "/apis/coordination.k8s.io/v1/namespaces/"+url.PathEscape(namespace)+"/leases/"+h.Lease, nil, &found)
	if kube.NotFound(err) {
		return h, nil
	}
	if at := strings.LastIndexByte(found.Spec.HolderIdentity, '_'); at >= 0 {
		h.Name, h.Identity = found.Spec.HolderIdentity[:at], found.Spec.HolderIdentity[at+1:]
	} else {
		h.Name = found.Spec.HolderIdentity
	}
	h.Acquired, _ = time.Parse(time.RFC3339, found.Spec.AcquireTime)
	h.Renewed, _ = time.Parse(time.RFC3339, found.Spec.RenewTime)
	h.Valid = time.Duration(found.Spec.LeaseDurationSeconds) * time.Second
	h.GivenUp = found.Spec.LeaseDurationSeconds == givenUp
	return h, err
}
