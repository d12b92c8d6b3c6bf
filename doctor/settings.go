package doctor

import (
	"context"
	"strings"
)

// settings tells which settings are wrong, doubtful or unknown.
func (x *examination) settings(context.Context) (all []Finding) {
	if x.Wrong != nil {
		for line := range strings.Lines(strings.TrimPrefix(x.Wrong.Error(), "cannot use the settings: ")) {
			all = append(all, found(Fail, "settings", "%s", line).
				todo("correct it: until then the operator connects to nothing and deploys nothing; README.md lists the settings"))
		}
	}
	for _, warning := range x.Settings.Warnings {
		all = append(all, found(Warn, "settings", "%s", warning).
			todo("correct it in the environment, or in the chart's values; README.md lists the settings"))
	}
	switch {
	case len(all) > 0:
	case len(x.Settings.Ignored) > 0:
		all = append(all, found(OK, "settings", "known and readable; without effect here: %s", strings.Join(x.Settings.Ignored, " ")))
	default:
		all = append(all, found(OK, "settings", "known and readable"))
	}
	return all
}
