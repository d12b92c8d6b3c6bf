package journal

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"octo-operator/kube"
)

// leaseName returns the name of the Lease that the operators of a controller share.
func leaseName(controller string) string { return "octo-operator-" + shortHash(controller) }

// Holder is the holder of a Lease as the Lease describes it, for commands that only show it. A Leader does not rely on these times: it
// decides by what it has observed itself.
type Holder struct {
	Lease    string        // its name
	Name     string        // of the host that holds it, or held it last; "": it was never held
	Identity string        // of that operator: see runs.Store.Identity
	Acquired time.Time     // when this operator took it; zero: not known
	Renewed  time.Time     // by its holder's clock
	Valid    time.Duration // after Renewed
	GivenUp  bool          // the holder has given it up at its end: nobody leads
}

// ReadHolder reads the Lease of a controller's operators. If there is no Lease, it returns no error and a Holder without a name.
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
