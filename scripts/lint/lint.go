// Package lint finds in an environment's own scripts what would fail, or do something else than was meant, when the operator runs them: what
// shellcheck finds most often, without needing shellcheck, and variables that scripts do not get (docs/scripts.md). It runs no script.
//
//	findings, err := lint.File(ctx, "/scripts/workload-deploy", scripts.WorkloadDeploy)
package lint

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// Finding is something that is wrong with a script.
type Finding struct {
	Line int    // counted from 1
	What string // what is wrong, in one line
	Do   string // what to do about it
}

// Text checks the text of a script that serves a step; step is empty for any other, such as a library that ends in .sh, which scripts source. The
// findings are sorted by line. A script for another interpreter than a shell has none.
func Text(text []byte, step string) []Finding {
	l := &linter{step: step, library: step == ""}
	l.shell = l.shebang(text)
	if l.shell == other {
		return l.findings
	}
	if line := bytes.Index(text, []byte("\r\n")); line >= 0 {
		l.find(bytes.Count(text[:line], []byte("\n"))+1, "the lines end in CR LF, which a shell takes for parts of its words", "convert the file: tr -d '\\r'")
		return l.findings
	}
	file, err := parse(text, l.shell)
	if err != nil {
		l.syntax(err)
		return l.findings
	}
	l.disabled(file)
	l.variables(file)
	l.commands(file)
	if !l.library {
		l.stopsOnFailure(file)
	}
	slices.SortStableFunc(l.findings, func(a, b Finding) int { return cmp.Compare(a.Line, b.Line) })
	return slices.Compact(l.findings)
}

// linter checks one script.
type linter struct {
	step     string
	library  bool
	shell    shell
	strict   string // options of set in the first line, such as eu
	findings []Finding
	off      []directive
}

// find adds a finding.
func (l *linter) find(line int, what, do string) {
	l.findings = append(l.findings, Finding{line, what, do})
}

// shell is the language of a script.
type shell int

const (
	posix shell = iota
	bash
	other // no shell at all
)

var firstLine = regexp.MustCompile(`^#! *(\S+)(?: +(\S+))?(?: +-(\w+))?`)

// Interpreter returns the program that the first line of a script names; "": none.
func Interpreter(text []byte) string {
	if m := firstLine.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

// shebang finds out from the first line which shell runs the script.
func (l *linter) shebang(text []byte) shell {
	m := firstLine.FindSubmatch(text)
	if m == nil {
		if !l.library {
			l.find(1, "the first line does not say what runs the script, so it cannot be started", "begin it with #!/bin/sh")
		}
		return posix
	}
	program, options := path.Base(string(m[1])), strings.TrimPrefix(string(m[2]), "-")
	if program == "env" {
		program, options = path.Base(options), string(m[3])
	}
	l.strict = options
	switch program {
	case "sh", "dash", "ash", "busybox":
		return posix
	case "bash":
		return bash
	}
	return other
}

// parse reads a script. A panic of the parser is returned as an error, because anybody may have written the script.
func parse(text []byte, in shell) (file *syntax.File, err error) {
	defer func() {
		if failed := recover(); failed != nil {
			err = fmt.Errorf("it cannot be read: %v", failed)
		}
	}()
	variant := syntax.LangPOSIX
	if in == bash {
		variant = syntax.LangBash
	}
	return syntax.NewParser(syntax.Variant(variant), syntax.KeepComments(true)).Parse(bytes.NewReader(text), "")
}

// syntax adds the reason why a script cannot be parsed.
func (l *linter) syntax(err error) {
	var foreign syntax.LangError
	var wrong syntax.ParseError
	switch {
	case errors.As(err, &foreign):
		l.find(int(foreign.Pos.Line()), foreign.Feature+": only bash has that, and sh does not", "write it for sh, or begin the script with #!/bin/bash where there is one")
	case errors.As(err, &wrong):
		l.find(int(wrong.Pos.Line()), "syntax error: "+wrong.Text, "correct it: the script ends there")
	default:
		l.find(1, "syntax error: "+err.Error(), "correct it")
	}
}

// directive is a comment that switches a check of shellcheck off, and counts here too.
type directive struct {
	code        string // SC2086
	first, last int    // lines
}

var disable = regexp.MustCompile(`^\s*shellcheck .*disable=([A-Z0-9,]+)`)

// disabled collects the comments that switch a check off: for the command below or, above the first command, for the whole file.
func (l *linter) disabled(file *syntax.File) {
	syntax.Walk(file, func(node syntax.Node) bool {
		stmt, ok := node.(*syntax.Stmt)
		if !ok {
			return true
		}
		for _, comment := range stmt.Comments {
			m := disable.FindStringSubmatch(comment.Text)
			if m == nil || comment.Pos().After(stmt.Pos()) {
				continue
			}
			last := int(stmt.End().Line())
			if stmt == file.Stmts[0] {
				last = int(file.End().Line())
			}
			for code := range strings.SplitSeq(m[1], ",") {
				l.off = append(l.off, directive{code, int(stmt.Pos().Line()), last})
			}
		}
		return true
	})
}

func (l *linter) isOff(code string, line int) bool {
	return slices.ContainsFunc(l.off, func(d directive) bool { return d.code == code && d.first <= line && line <= d.last })
}
