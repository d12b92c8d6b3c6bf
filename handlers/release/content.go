package release

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"octo-operator/handlers/release/charts"
	"octo-operator/merge"
)

// contentOf is a hash of what a deploy would install. It becomes a label, so secret values are left out; the Secret is compared with
// the cluster's instead. What is pinned, the count of replicas that run, is left out too: it may change without a deploy.
func contentOf(archive string, in merge.Input, hibernated bool) (string, error) {
	for _, overrides := range []*[]merge.Override{&in.Injected, &in.Overrides} {
		*overrides = slices.Clone(*overrides)
		for i := range *overrides {
			if o := &(*overrides)[i]; o.Secret {
				o.Value = ""
			}
		}
	}
	digest, err := charts.DigestOf(archive)
	if err != nil {
		return "", fmt.Errorf("cannot read the chart: %w", err)
	}
	text, err := json.Marshal([]any{[sha256.Size]byte(digest), hibernated, in.Context, in.Values, in.Injected, in.Overrides})
	if err != nil {
		return "", fmt.Errorf("cannot tell what the values are: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:20]), nil
}
