package repository

import (
	"encoding/hex"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// isVersion is what helm takes for a chart's version.
func isVersion(text string) bool {
	_, err := semver.NewVersion(text)
	return err == nil
}

// digestOf is a digest as IsDigest knows it; what is none stays as it is.
func digestOf(text string) string {
	if digest := strings.ToLower(strings.TrimPrefix(text, "sha256:")); IsDigest(digest) {
		return digest
	}
	return text
}

// IsDigest tells a SHA-256 as 64 hex digits in lower case.
func IsDigest(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == 32 && text == strings.ToLower(text)
}

// choice finds the version that helm would take: the one that is called exactly as it was asked for, or else the newest
// that satisfies it as a constraint ("1.x", "^1.2"). Asked for none, it is the newest that is no pre-release.
type choice struct {
	asked      string
	constraint *semver.Constraints // nil: there can be none

	found  Entry
	exact  bool
	newest *semver.Version // that was found; nil: none
}

func newChoice(asked string) *choice {
	c := &choice{asked: asked}
	text := asked
	if text == "" {
		text = "*"
	}
	c.constraint, _ = semver.NewConstraint(text)
	return c
}

// offer looks at one version. Of several that are equal the first one counts.
func (c *choice) offer(e Entry) {
	if c.exact || c.constraint == nil {
		return
	}
	if c.asked != "" && e.Version == c.asked {
		c.found, c.exact = e, true
		return
	}
	version, err := semver.NewVersion(e.Version)
	if err == nil && c.constraint.Check(version) && (c.newest == nil || version.GreaterThan(c.newest)) {
		c.found, c.newest = e, version
	}
}

func (c *choice) ok() bool { return c.exact || c.newest != nil }
