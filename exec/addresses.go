package exec

import (
	"regexp"
	"strings"
)

// webAddress matches an address in a text. Its groups are the scheme, the user, the host with the path, and the query; user and query may be secret.
var webAddress = regexp.MustCompile(`((?i:https?|oci)://)([^\s"/?#]*@)?([^\s"?]*)(\?[^\s"]*)?`)

// userOfAddress matches an address up to the end of its user.
var userOfAddress = regexp.MustCompile(`((?i:https?|oci)://)[^\s"/?#]*@`)

// WithoutAddressSecrets replaces the user and the query of each address in a line by Redacted. helm's errors quote the signed address of an archive
// from a repository's index, and the address to which the repository has redirected, which the operator has never seen.
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
