package cli

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/lmittmann/tint"
)

// textLog is the log for people: a slog.Handler around tint, which writes each record. The JSON log has all attributes unchanged; here
// nothing stands twice in a record:
//
//   - The run, tenant and so on stand once, in front of the message: "6c1f0a acme/Shop: event done". First comes the end of the run's id,
//     which "octo-operator runs show" takes, then tenant and workload or pool. The release stands in the run's first record.
//   - A command stands as a person would type it in the run directory; before the run's first command a cd leads there.
//   - An attribute whose value is a part of another one is left out.
//   - A script's output begins with a bar, so that it cannot be taken for a record of the operator.
//
// On a terminal, what does not fit into its width stands below, indented. In a collected log a record is one line.
type textLog struct {
	shared  *sharedLog
	tint    slog.Handler
	about   about
	grouped bool // further attributes belong to a group, and are not about's
}

// sharedLog is what all loggers that were derived from one have in common.
type sharedLog struct {
	mu      sync.Mutex
	to      io.Writer
	record  bytes.Buffer // tint writes into it
	columns func() int   // of the terminal; nil: it is not a terminal
}

const (
	terminalTime  = "15:04:05.000"
	collectedTime = "2006-01-02T15:04:05.000Z07:00"
	// headColumns is the width of time and level on a terminal.
	headColumns  = len(terminalTime) + len(" INF ")
	leastColumns = 60
)

func terminalLog(to io.Writer, columns func() int) slog.Handler {
	return newTextLog(to, columns, &tint.Options{Level: &LogLevel, TimeFormat: terminalTime, ReplaceAttr: withoutEscapes})
}

func collectedLog(to io.Writer) slog.Handler {
	return newTextLog(to, nil, &tint.Options{Level: &LogLevel, TimeFormat: collectedTime, NoColor: true, ReplaceAttr: plainAttr})
}

func newTextLog(to io.Writer, columns func() int, options *tint.Options) slog.Handler {
	shared := &sharedLog{to: to, columns: columns}
	return &textLog{shared: shared, tint: tint.NewTextHandler(&shared.record, options)}
}

// Enabled is slog.Handler's.
func (h *textLog) Enabled(ctx context.Context, level slog.Level) bool {
	return h.tint.Enabled(ctx, level)
}

// WithGroup is slog.Handler's.
func (h *textLog) WithGroup(name string) slog.Handler {
	with := *h
	with.tint, with.grouped = h.tint.WithGroup(name), h.grouped || name != ""
	return &with
}

// WithAttrs is slog.Handler's.
func (h *textLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	with := *h
	if !h.grouped {
		attrs = with.about.takeAll(attrs)
	}
	with.tint = h.tint.WithAttrs(attrs)
	return &with
}

// Handle is slog.Handler's.
func (h *textLog) Handle(ctx context.Context, r slog.Record) error {
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
	about := h.about
	if !h.grouped {
		attrs = about.takeAll(attrs)
	}
	h.shared.mu.Lock()
	defer h.shared.mu.Unlock()
	said := saying{about: &about, message: plainText(r.Message), attrs: attrs}
	if !h.grouped {
		said.read(h.shared.columns != nil)
	}
	message, attrs, below := about.String()+said.message, said.attrs, []string(nil)
	if h.shared.columns != nil && !h.grouped {
		message, attrs, below = said.fit(max(h.shared.columns(), leastColumns))
	}
	shown := slog.NewRecord(r.Time, r.Level, message, r.PC)
	shown.AddAttrs(attrs...)
	h.shared.record.Reset()
	if err := h.tint.Handle(ctx, shown); err != nil {
		return err
	}
	for _, line := range below {
		h.shared.record.WriteString(line + "\n")
	}
	_, err := h.shared.to.Write(h.shared.record.Bytes())
	return err
}

// saying is the text of a record.
type saying struct {
	about    *about
	message  string
	attrs    []slog.Attr
	commands []string // instead of the message, on a terminal
}

// read turns commands and the output of scripts into what a person reads, and leaves out what stands twice.
func (s *saying) read(onTerminal bool) {
	attrs := withoutRepetition(s.about.tell(s.attrs))
	s.attrs = nil
	for _, a := range attrs {
		switch a.Key {
		case "stream":
			s.message = "| " + s.message
		case "cmd":
			if commands := s.about.told.command(plainText(a.Value.String()), s.about.run); onTerminal {
				s.commands = commands
			} else {
				s.attrs = append(s.attrs, slog.String(a.Key, strings.Join(commands, " && ")))
			}
		default:
			s.attrs = append(s.attrs, a)
		}
	}
}

// leastRepeated is the least length, in bytes, of a value that is left out because another one contains it: a shorter one, such as a
// number, may be in it by chance.
const leastRepeated = 8

// withoutRepetition leaves out attributes whose value is a part of another one's, such as the resource that a reason names.
func withoutRepetition(attrs []slog.Attr) (rest []slog.Attr) {
	values := make([]string, len(attrs))
	for i, a := range attrs {
		values[i] = a.Value.String()
	}
	for i, a := range attrs {
		repeated := false
		for j, other := range values {
			repeated = repeated || len(values[i]) >= leastRepeated && len(values[i]) < len(other) && i != j && strings.Contains(other, values[i])
		}
		if !repeated {
			rest = append(rest, a)
		}
	}
	return rest
}

// The indents of the lines below a record's first line, and of their continuations.
const (
	indent    = "    "
	goingOn   = indent + "  "
	backslash = ` \`
)

// fit keeps in the first line what fits into so many columns, and puts the rest below it.
func (s *saying) fit(columns int) (first string, beside []slog.Attr, below []string) {
	lines := wrapped(s.about.String()+s.message, columns-headColumns, columns, indent, "")
	for i, command := range s.commands {
		if i == 0 {
			lines = wrapped(s.about.String()+"$ "+shortWords(command), columns-headColumns, columns, goingOn, backslash)
		} else {
			lines = append(lines, wrapped(indent+"$ "+shortWords(command), columns, columns, goingOn, backslash)...)
		}
	}
	first, below = lines[0], lines[1:]
	used := headColumns + utf8.RuneCountInString(first)
	for _, a := range s.attrs {
		value := strings.ReplaceAll(plainAttr(nil, a).Value.String(), "\t", indent)
		width := len(" =") + len(a.Key) + utf8.RuneCountInString(value)
		if strings.ContainsAny(value, ` "=`) {
			width += len(`""`)
		}
		if len(lines) == 1 && !strings.Contains(value, "\n") && used+width <= columns {
			beside, used = append(beside, a), used+width
			continue
		}
		below = append(below, wrapped(indent+a.Key+": "+value, columns, columns, goingOn, "")...)
	}
	return first, beside, below
}
