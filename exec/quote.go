package exec

import "strings"

// Quote returns args as a command line that can be pasted into a POSIX shell.
// Single quotes are put only where they are needed.
func Quote(args []string) string {
	quoted := make([]string, len(args))
	for i, arg := range args {
		// A first word name=value would be an assignment.
		if arg == "" || strings.ContainsFunc(arg, special) || i == 0 && strings.Contains(arg, "=") {
			arg = "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
		}
		quoted[i] = arg
	}
	return strings.Join(quoted, " ")
}

// special tells whether r may have a meaning to some shell.
func special(r rune) bool {
	switch {
	case 'a' <= r && r <= 'z', 'A' <= r && r <= 'Z', '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("-_./:,+@%=", r)
}
