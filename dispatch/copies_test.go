package dispatch

import "testing"

func TestSecretsOfAnEventLieInTheNamespaceOfItsRelease(t *testing.T) {
	c := copies{poolNamespace: "octo", platformNamespace: "platform"}
	for lane, want := range map[string]string{
		"octo/acme-shop":     "octo",
		"platform/acme-pool": "platform",
		"pool/acme-main":     "octo",
		"tenant/acme":        "octo",
		"invalid":            "octo",
	} {
		if got := c.lane(lane); got.Namespace != want || got.Name != lane {
			t.Errorf("%s: got %+v, want %s", lane, got, want)
		}
	}
}
