package pools

import (
	"errors"
	"fmt"
	"testing"

	"octo-operator/dispatch"
	"octo-operator/kube"
	"octo-operator/scripts"
)

func TestAPoolIsTriedUntilItHasWorkedOrIsWrongItself(t *testing.T) {
	said := func(words string) error {
		return &dispatch.ScriptError{Script: scripts.PoolDeploy, Reason: errors.New(words)}
	}
	status := func(code int) error { return fmt.Errorf("cannot look: %w", &kube.StatusError{Code: code}) }
	const webhook = `Error from server (InternalError): Internal error occurred: failed calling webhook "w": failed to call webhook: Post "https://x": `
	for _, test := range []struct {
		err  error
		want dispatch.RetryCause
	}{
		{said(webhook + "dial tcp 127.0.0.1:1: connect: connection refused"), dispatch.WebhookAway},
		{said(webhook + `no endpoints available for service "octo-operator"`), dispatch.WebhookAway},
		{said(webhook + "tls: failed to verify certificate: x509: certificate signed by unknown authority"), dispatch.WebhookAway},
		{said(webhook + "context deadline exceeded"), dispatch.WebhookAway},
		{said(webhook + `service "octo-operator" not found`), dispatch.WebhookAway},
		{said(`error: resource mapping not found for name: "a" namespace: "octo" from "pool.yaml": no matches for kind "CommunicationPool" in version "x/v1"`), dispatch.Refused},
		{said(`Error from server (Forbidden): communicationpools.x "a" is forbidden: User "u" cannot patch resource "communicationpools" in API group "x" in the namespace "octo"`), dispatch.Refused},
		{said(`Error from server (NotFound): namespaces "octo" not found`), dispatch.Refused},
		{said(`Error from server: failed to create typed patch object (octo/a; x/v1, Kind=CommunicationPool): .spec.poolRtId: field not declared in schema`), dispatch.Refused},
		{said(`Error from server (Forbidden): secrets "a" is forbidden: exceeded quota: small, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1`), dispatch.Refused},
		{said("the environment's own script has no access to its repository"), dispatch.Refused},
		{&dispatch.ScriptError{Script: scripts.PoolDeploy, Reason: fmt.Errorf("timed out after 12m0s: %w", dispatch.ErrHangs)}, dispatch.Refused},
		{said("The connection to the server 127.0.0.1:6443 was refused\nconnection refused"), dispatch.MaybeOutage},
		{fmt.Errorf("cannot look: %w", kube.ErrUnreachable), dispatch.Outage},
		{status(403), dispatch.Refused},
		{status(500), dispatch.Refused},
		{fmt.Errorf("no: %w", &stillDeletingError{}), dispatch.BeingDeleted},

		{said(`The CommunicationPool "a" is invalid: spec.poolRtId: Invalid value: "abc": spec.poolRtId in body should match '^[a-f0-9]{24}$'`), dispatch.Final},
		{said(`Error from server: admission webhook "w" denied the request: no`), dispatch.Final},
		{said(`Error from server (Forbidden): communicationpools.x "a" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`), dispatch.Final},
		{said(`Error from server (BadRequest): error when creating "pool.yaml": no`), dispatch.Final},
		{status(422), dispatch.Final},
		{status(400), dispatch.Final},
		{errors.New("poolRtId is not 24 lowercase hexadecimal digits"), dispatch.Final},
	} {
		if got := dispatch.CauseOf(withCause(test.err)); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, got, test.want)
		}
	}
}
