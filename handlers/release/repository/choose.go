package repository

import (
	"encoding/hex"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// isVersion tells whether helm accepts a text as a chart's version.
func isVersion(text string) bool {
	_, err := semver.NewVersion(text)
	return err == nil
}

// digestOf returns a SHA-256 digest in the form of IsDigest. A text that is no such digest is returned as it is.
func digestOf(text string) string {
	if digest := strings.ToLower(strings.TrimPrefix(text, "sha256:")); IsDigest(digest) {
		return digest
	}
	return text
}

// IsDigest tells whether a text is a SHA-256 digest as 64 hex digits in lower case.
func IsDigest(text string) bool {
	raw, err := hex.DecodeString(text)
	return err == nil && len(raw) == 32 && text == strings.ToLower(text)
}

// choice finds the version that helm would choose: the one with exactly the requested name, else the newest that satisfies the request as
// a constraint ("1.x", "^1.2"). If nothing is requested, it is the newest that is not a pre-release.
type choice struct {
	asked      string
	constraint *semver.Constraints // nil: the request is no constraint

	found  Entry
	exact  bool
	newest *semver.Version // the newest match so far; nil: none
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

// offer considers one version. Of several equal versions the first one counts.
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
