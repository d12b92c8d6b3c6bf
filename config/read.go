package config

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Each of the functions below returns a parser for one kind of setting. The parser writes into the given field only if it succeeds.

func text(into *string) func(string) error {
	return func(text string) error { *into = text; return nil }
}

// boolean accepts what .NET accepts (any case, surrounding space), and also 1 and 0.
func boolean(into *bool) func(string) error {
	return func(text string) error {
		value, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(text)))
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*into = value
		return nil
	}
}

// optional reads a setting that is nil if it is not set.
func optional[T any](into **T, read func(into *T) func(string) error) func(string) error {
	return func(text string) error {
		var value T
		err := read(&value)(text)
		if err == nil {
			*into = &value
		}
		return err
	}
}

// whole reads a whole number as .NET does: with surrounding space, a sign, or hexadecimal after 0x, # or &h.
func whole(into *int, least int) func(string) error {
	return func(text string) error {
		digits, base := strings.ToLower(strings.TrimSpace(text)), 10
		for _, prefix := range []string{"0x", "#", "&h"} {
			if rest, ok := strings.CutPrefix(digits, prefix); ok {
				digits, base = rest, 16
			}
		}
		value, err := strconv.ParseInt(digits, base, 32)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		if value < int64(least) {
			return fmt.Errorf("%d is less than %d", value, least)
		}
		*into = int(value)
		return nil
	}
}

// leastRetry is in seconds: a smaller setting would flood the controller with retries.
const leastRetry = 0.1

// retrySeconds reads a number of seconds, fractions allowed. 0 or less becomes 0: never.
func retrySeconds(into *float64) func(string) error {
	return func(text string) error {
		value, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil || math.IsNaN(value) || math.Abs(value) > math.MaxInt32 {
			return fmt.Errorf("%q is not a number of seconds", text)
		}
		if *into = 0; value > 0 {
			*into = max(value, leastRetry)
		}
		return nil
	}
}

func duration(into *time.Duration, least time.Duration) func(string) error {
	return func(text string) error {
		value, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil {
			return fmt.Errorf("%q is not a duration such as 90s or 5m", text)
		}
		if value < least {
			return fmt.Errorf("%s is less than %s", value, least)
		}
		*into = value
		return nil
	}
}

func memory(into *Bytes) func(string) error {
	return func(text string) error { return into.UnmarshalText([]byte(strings.TrimSpace(text))) }
}

// limit reads an amount of memory of at least least bytes; 0 means no limit.
func limit(into *Bytes, least Bytes) func(string) error {
	return func(text string) error {
		var value Bytes
		if err := memory(&value)(text); err != nil {
			return err
		}
		if value != 0 && value < least {
			return fmt.Errorf("%s is less than %s, and more than 0, which is no limit", strings.TrimSpace(text), FormatMemory(int64(least)))
		}
		*into = value
		return nil
	}
}

func hours(into *time.Duration) func(string) error {
	return func(text string) error {
		value, err := strconv.ParseUint(strings.TrimSpace(text), 10, 16)
		if err != nil {
			return fmt.Errorf("%q is not a whole number of hours", text)
		}
		*into = time.Duration(value) * time.Hour
		return nil
	}
}

func oneOf(into *string, allowed ...string) func(string) error {
	return func(text string) error {
		value := strings.ToLower(strings.TrimSpace(text))
		if !slices.Contains(allowed, value) {
			return fmt.Errorf("%q is none of %s", text, strings.Join(allowed, ", "))
		}
		*into = value
		return nil
	}
}

func logLevel(into *string) func(string) error {
	return func(text string) error {
		value := strings.TrimSpace(text)
		if new(slog.Level).UnmarshalText([]byte(value)) != nil {
			return fmt.Errorf("%q is none of debug, info, warn, error", text)
		}
		*into = value
		return nil
	}
}

// webURL reads an http or https URL and removes surrounding space, as .NET does.
func webURL(into *string) func(string) error {
	return func(text string) error {
		text = strings.TrimSpace(text)
		u, err := url.Parse(text)
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			return fmt.Errorf("%q is not an http or https URL", text[strings.LastIndex(text, "@")+1:]) // without a password
		}
		if u.User != nil {
			return errors.New("holds credentials: they belong in OPERATOR__AUTHENTICATION__CLIENTID and __CLIENTSECRET")
		}
		*into = text
		return nil
	}
}

var namespaceName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

func namespace(into *string) func(string) error {
	return func(text string) error {
		if !namespaceName.MatchString(text) {
			return fmt.Errorf("%q cannot be the name of a namespace: lower-case letters, digits and - in between, at most 63", text)
		}
		*into = text
		return nil
	}
}

func directory(into *string) func(string) error {
	return func(text string) error {
		if !filepath.IsAbs(text) {
			return fmt.Errorf("%q is not an absolute path", text)
		}
		*into = text
		return nil
	}
}

// stateDirectory refuses a comma: helm splits the argument of -f at commas, and every values file lies below the state directory.
func stateDirectory(into *string) func(string) error {
	return func(text string) error {
		if strings.ContainsAny(text, ",\n") {
			return fmt.Errorf("%q holds a comma or a line break, which helm cannot take", text)
		}
		return directory(into)(text)
	}
}

// issuers drops blank entries. Workloads accept each entry also with a slash appended, so a blank one would accept the issuer "/".
func issuers(into *[]string) func(environment) error {
	return func(e environment) error {
		for _, c := range e.children("OPERATOR__ADDITIONALVALIDISSUERS__n") {
			if strings.TrimSpace(c.value) != "" {
				*into = append(*into, c.value)
			}
		}
		return nil
	}
}

// annotations drops entries with a blank name or value.
func annotations(into *[]Annotation) func(environment) error {
	return func(e environment) error {
		for _, c := range e.children("OPERATOR__INGRESS__ANNOTATIONS__n__NAME") {
			a := Annotation{Name: c.value, Value: e.value("OPERATOR__INGRESS__ANNOTATIONS__" + strings.ToUpper(c.key) + "__VALUE")}
			if strings.TrimSpace(a.Name) != "" && a.Value != "" {
				*into = append(*into, a)
			}
		}
		return nil
	}
}

// encryptionKeys keeps the case of the key ids, because data that workloads have encrypted refers to them. Empty keys are dropped.
func encryptionKeys(into *[]EncryptionKey) func(environment) error {
	return func(e environment) error {
		for _, c := range e.children("OPERATOR__CLUSTERSECRETS__SECRETENCRYPTIONKEYS__KEYID") {
			if strings.TrimSpace(c.value) != "" {
				*into = append(*into, EncryptionKey{ID: c.key, Key: c.value})
			}
		}
		slices.SortFunc(*into, func(a, b EncryptionKey) int { return strings.Compare(a.ID, b.ID) })
		return nil
	}
}

// entries reads a list that may be set with numbered variables, or without a number and separated by commas or space. Blank entries are
// dropped. The errors of read must not name the variable: entries adds it.
func entries(list string, read func(entry string) error) func(environment) error {
	return func(e environment) error {
		all := []variable{{list, e.value(list)}}
		for _, c := range e.children(list + "__n") {
			all = append(all, variable{list + "__" + strings.ToUpper(c.key), c.value})
		}
		for _, v := range all {
			for _, entry := range strings.FieldsFunc(v.value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
				if err := read(entry); err != nil {
					return fmt.Errorf("%s: %w", v.name, err)
				}
			}
		}
		return nil
	}
}

// beginnings reads URL prefixes of the given schemes, such as "http:// or https://". It refuses a prefix that could never match, or that
// somebody might take for more than it allows.
func beginnings(list, schemes string, into *[]string) func(environment) error {
	return entries(list, func(entry string) error {
		u, err := url.Parse(entry)
		switch {
		case err != nil || u.Scheme == "" || !strings.Contains(schemes, u.Scheme+"://") || u.Hostname() == "":
			return fmt.Errorf("%q is not an %s URL", entry[strings.LastIndex(entry, "@")+1:], schemes)
		case u.User != nil || u.RawQuery != "" || u.Fragment != "":
			return fmt.Errorf("an entry for %s holds credentials, a query or a fragment: scheme, host, port and path are compared, nothing else", u.Host)
		case strings.Contains(u.Host, "*") || strings.ContainsAny(u.EscapedPath(), `%\;*`) || path.Clean("/"+u.Path+"/") != "/"+strings.Trim(u.Path, "/"):
			return fmt.Errorf("%q holds a wildcard, or what could be read in two ways: write the plain beginning of the URL", entry)
		}
		*into = append(*into, entry)
		return nil
	})
}

// addresses reads IP addresses and networks.
func addresses(into *[]netip.Prefix) func(environment) error {
	return entries("OPERATOR__ALLOWEDREPOSITORYADDRESSES", func(entry string) error {
		network, err := netip.ParsePrefix(entry)
		if address, addressErr := netip.ParseAddr(entry); addressErr == nil {
			network, err = netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
		}
		if err != nil {
			return fmt.Errorf("%q is neither an address nor a network such as 127.0.0.0/8", entry)
		}
		*into = append(*into, network.Masked())
		return nil
	})
}

// readWith is for a variable that the parser of another one reads too, as annotations reads __VALUE with __NAME.
func readWith(environment) error { return nil }
