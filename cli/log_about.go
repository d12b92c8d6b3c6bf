package cli

import (
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"octo-operator/text"
)

// about says to which run, tenant and so on the records of a logger belong.
type about struct {
	run, tenant, name string // name: of the workload or the pool
	release           string
	told              *told
}

// told is what earlier records of a run have said already.
type told struct {
	release         bool
	dir, kubeconfig string
}

// takeAll takes the attributes that about has fields for, and returns the others. Of several with the same name the first counts.
func (b *about) takeAll(attrs []slog.Attr) (rest []slog.Attr) {
	for _, a := range attrs {
		if into := b.field(a.Key); into == nil || *into != "" || a.Value.Kind() != slog.KindString || a.Value.String() == "" {
			rest = append(rest, a)
		} else {
			*into = a.Value.String()
		}
	}
	if b.told == nil || slices.ContainsFunc(attrs, func(a slog.Attr) bool { return a.Key == "run" }) {
		b.told = &told{}
	}
	return rest
}

func (b *about) field(key string) *string {
	switch key {
	case "run":
		return &b.run
	case "tenant":
		return &b.tenant
	case "workload", "pool":
		return &b.name
	case "release":
		return &b.release
	}
	return nil
}

// tell adds the release, which is not in String, to the attributes, unless a record of the run has it already.
func (b *about) tell(attrs []slog.Attr) []slog.Attr {
	if b.release != "" && (b.run == "" || !b.told.release) {
		attrs = append(attrs, slog.String("release", b.release))
		b.told.release = true
	}
	return attrs
}

// String returns the words in front of the message; "" if the record is about the operator itself.
func (b *about) String() string {
	var words []string
	if b.run != "" {
		words = append(words, word(b.run[strings.LastIndexByte(b.run, '-')+1:]))
	}
	if owner := []string{b.tenant, b.name}; b.tenant != "" || b.name != "" {
		owner = slices.DeleteFunc(owner, func(name string) bool { return name == "" })
		for i := range owner {
			owner[i] = word(owner[i])
		}
		words = append(words, strings.Join(owner, "/"))
	}
	if len(words) == 0 {
		return ""
	}
	return strings.Join(words, " ") + ": "
}

// word returns a name, which anybody may have sent, as one word: in quotation marks if it could be taken for more.
func word(name string) string {
	name = plainText(text.Shown(name))
	if strings.ContainsFunc(name, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`"'/:=$|`, r) }) {
		return strconv.Quote(name)
	}
	return name
}
