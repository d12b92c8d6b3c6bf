package exec

import (
	"regexp"
	"strings"
)

// webAddress is an address in a text, in parts: user and query may be secret.
var webAddress = regexp.MustCompile(`((?i:https?|oci)://)([^\s"/?#]*@)?([^\s"?]*)(\?[^\s"]*)?`)

var userOfAddress = regexp.MustCompile(`((?i:https?|oci)://)[^\s"/?#]*@`)

// WithoutAddressSecrets takes out of a line what may be secret in an address. Errors have the address of an archive that
// the index has signed, and the one to which a repository has redirected it, which the operator has never seen.
func WithoutAddressSecrets(line string) string {
	if !strings.Contains(line, "://") { // nearly all lines: the pattern would look at each byte
		return line
	}
	return webAddress.ReplaceAllStringFunc(line, func(address string) string {
		part := webAddress.FindStringSubmatch(address)
		if part[2] != "" {
			part[2] = Redacted + "@"
		}
		part[3] = userOfAddress.ReplaceAllString(part[3], "${1}"+Redacted+"@") // another address may follow without a blank, or be the path at a proxy
		if part[4] != "" {
			part[4] = "?" + Redacted
		}
		return strings.Join(part[1:], "")
	})
}
