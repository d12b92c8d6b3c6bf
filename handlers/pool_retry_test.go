package handlers

import (
	"errors"
	"fmt"
	"testing"

	"octo-operator/kube"
	"octo-operator/scripts"
)

func TestAPoolIsTriedUntilItHasWorkedOrIsWrongItself(t *testing.T) {
	said := func(words string) error { return &scriptError{scripts.PoolDeploy, errors.New(words)} }
	status := func(code int) error { return fmt.Errorf("cannot look: %w", &kube.StatusError{Code: code}) }
	const webhook = `Error from server (InternalError): Internal error occurred: failed calling webhook "w": failed to call webhook: Post "https://x": `
	for _, test := range []struct {
		err  error
		want trouble
	}{
		{said(webhook + "dial tcp 127.0.0.1:1: connect: connection refused"), webhookAway},
		{said(webhook + `no endpoints available for service "octo-operator"`), webhookAway},
		{said(webhook + "tls: failed to verify certificate: x509: certificate signed by unknown authority"), webhookAway},
		{said(webhook + "context deadline exceeded"), webhookAway},
		{said(webhook + `service "octo-operator" not found`), webhookAway},
		{said(`error: resource mapping not found for name: "a" namespace: "octo" from "pool.yaml": no matches for kind "CommunicationPool" in version "x/v1"`), notTaken},
		{said(`Error from server (Forbidden): communicationpools.x "a" is forbidden: User "u" cannot patch resource "communicationpools" in API group "x" in the namespace "octo"`), notTaken},
		{said(`Error from server (NotFound): namespaces "octo" not found`), notTaken},
		{said(`Error from server: failed to create typed patch object (octo/a; x/v1, Kind=CommunicationPool): .spec.poolRtId: field not declared in schema`), notTaken},
		{said(`Error from server (Forbidden): secrets "a" is forbidden: exceeded quota: small, requested: count/secrets=1, used: count/secrets=1, limited: count/secrets=1`), notTaken},
		{said("the environment's own script has no access to its repository"), notTaken},
		{&scriptError{scripts.PoolDeploy, fmt.Errorf("timed out after 12m0s: %w", errHangs)}, notTaken},
		{said("The connection to the server 127.0.0.1:6443 was refused\nconnection refused"), doubtful},
		{fmt.Errorf("cannot look: %w", kube.ErrUnreachable), outage},
		{status(403), notTaken},
		{status(500), notTaken},
		{fmt.Errorf("no: %w", &stillDeletingError{}), beingDeleted},

		{said(`The CommunicationPool "a" is invalid: spec.poolRtId: Invalid value: "abc": spec.poolRtId in body should match '^[a-f0-9]{24}$'`), none},
		{said(`Error from server: admission webhook "w" denied the request: no`), none},
		{said(`Error from server (Forbidden): communicationpools.x "a" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no`), none},
		{said(`Error from server (BadRequest): error when creating "pool.yaml": no`), none},
		{status(422), none},
		{status(400), none},
		{errors.New("poolRtId is not 24 lowercase hexadecimal digits"), none},
	} {
		why, ofCluster := told(test.err)
		if got, _ := poolTrouble(test.err, why, ofCluster); got != test.want {
			t.Errorf("%v: got %q, want %q", test.err, troubleNames[got], troubleNames[test.want])
		}
	}
}
