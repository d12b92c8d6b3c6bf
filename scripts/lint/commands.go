package lint

import (
	"regexp"
	"slices"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// commands checks each command: for expansions that a shell splits into words, and for features that sh does not have.
func (l *linter) commands(file *syntax.File) {
	safe := plainVariables(file)
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.CallExpr:
			for i, word := range n.Args {
				if i > 0 && isAssignment(n.Args[0].Lit(), word) {
					continue // export A=$b
				}
				l.quoted(word, safe)
			}
			if l.shell == posix {
				l.bashisms(n)
			}
		case *syntax.Redirect:
			if n.Word != nil && n.Hdoc == nil {
				l.quoted(n.Word, safe)
			}
		}
		return true
	})
}

func isAssignment(command string, word *syntax.Word) bool {
	name, _, assigned := strings.Cut(begin(word), "=")
	switch command {
	case "export", "readonly", "local", "declare", "typeset":
		return assigned && syntax.ValidName(name)
	}
	return false
}

// quoted finds expansions outside of quotes. safe are variables that only ever hold one plain word.
func (l *linter) quoted(word *syntax.Word, safe map[string]bool) {
	for _, part := range word.Parts {
		line := int(part.Pos().Line())
		switch p := part.(type) {
		case *syntax.ParamExp:
			if name := nameOf(p); !oneWord(p, safe) && !l.isOff("SC2086", line) {
				l.find(line, name+" is not in quotes: blanks and * in it make several words of it", `write "`+name+`"`)
			}
		case *syntax.CmdSubst:
			if !l.isOff("SC2046", line) && !l.isOff("SC2086", line) {
				l.find(line, "$(…) is not in quotes: blanks and * in what it prints make several words of it", `write "$(…)"`)
			}
		}
	}
}

// nameOf returns an expansion as it is written, shortened.
func nameOf(p *syntax.ParamExp) string {
	if p.Param == nil {
		return "${…}"
	}
	if p.Short {
		return "$" + p.Param.Value
	}
	if p.Exp == nil && p.Repl == nil && p.Slice == nil && p.Index == nil {
		return "${" + p.Param.Value + "}"
	}
	return "${" + p.Param.Value + "…}"
}

// oneWord tells whether an expansion is one word, or none, whatever the variable holds.
func oneWord(p *syntax.ParamExp, safe map[string]bool) bool {
	if p.Param == nil || p.Length || strings.Contains("#?$!-", p.Param.Value) {
		return true
	}
	if p.Exp != nil && (p.Exp.Op == syntax.AlternateUnset || p.Exp.Op == syntax.AlternateUnsetOrNull) {
		return p.Exp.Word == nil || plain(p.Exp.Word, safe, true)
	}
	return p.Exp == nil && (safe[p.Param.Value] || slices.Contains([]string{"RANDOM", "PPID", "LINENO", "OPTIND", "SHLVL"}, p.Param.Value))
}

// plain tells whether a word stays one word, without patterns such as *. quotes: parts in quotes may hold anything.
func plain(word *syntax.Word, safe map[string]bool, quotes bool) bool {
	for _, part := range word.Parts {
		switch p := part.(type) {
		case *syntax.Lit:
			if strings.ContainsAny(p.Value, " \t\n*?[") {
				return false
			}
		case *syntax.SglQuoted:
			if !quotes && strings.ContainsAny(p.Value, " \t\n*?[") {
				return false
			}
		case *syntax.DblQuoted:
			if !quotes && !plain(&syntax.Word{Parts: p.Parts}, safe, false) {
				return false
			}
		case *syntax.ParamExp:
			if !oneWord(p, safe) {
				return false
			}
		case *syntax.ArithmExp:
		default:
			return false
		}
	}
	return true
}

// plainVariables returns the variables that the script itself sets, each time to one plain word.
func plainVariables(file *syntax.File) map[string]bool {
	safe, unsafe := map[string]bool{}, map[string]bool{}
	syntax.Walk(file, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.Assign:
			if n.Name == nil {
				return true
			}
			if n.Append || n.Array != nil || n.Index != nil || n.Value != nil && !plain(n.Value, nil, false) {
				unsafe[n.Name.Value] = true
			}
			safe[n.Name.Value] = true
		case *syntax.WordIter:
			unsafe[n.Name.Value] = true
		case *syntax.CallExpr:
			for _, name := range setBy(n) {
				unsafe[name] = true
			}
		}
		return true
	})
	for name := range unsafe {
		delete(safe, name)
	}
	return safe
}

// insteadOf are commands of bash that sh does not have.
var insteadOf = map[string]string{
	"source": "write . instead", "declare": "write the assignment alone", "typeset": "write the assignment alone", "let": "write $((…))",
	"shopt": "leave it out", "pushd": "use cd in a subshell, ( cd … )", "popd": "use cd in a subshell, ( cd … )", "mapfile": "use while read", "readarray": "use while read",
	"disown": "leave it out", "[[": "write [ … ]",
}

var braces = regexp.MustCompile(`\{[^\s{},]*(?:,|\.\.)[^\s{}]*\}`)

// bashisms finds what sh can parse but treats differently from bash.
func (l *linter) bashisms(call *syntax.CallExpr) {
	if len(call.Args) == 0 {
		return
	}
	line := int(call.Pos().Line())
	command := call.Args[0].Lit()
	if do, is := insteadOf[command]; is {
		l.find(line, command+" is a command of bash, and not every sh has it", do)
	}
	for _, word := range call.Args {
		l.dollarQuotes(word)
	}
	for _, word := range call.Args[1:] {
		text := word.Lit()
		switch {
		case (command == "[" || command == "test") && text == "==":
			l.find(int(word.Pos().Line()), "== in [ ] is bash's, and some sh do not know it", "write =")
		case command == "trap" && (text == "ERR" || text == "DEBUG" || text == "RETURN"):
			l.find(int(word.Pos().Line()), "trap "+text+" is bash's, and sh does not know it", "use trap … EXIT, or if")
		case command == "echo" && (text == "-e" || text == "-E"):
			l.find(line, "echo "+text+" is bash's, and some sh print the option", "use printf")
		}
		for _, part := range word.Parts {
			if lit, is := part.(*syntax.Lit); is && braces.MatchString(lit.Value) && !strings.Contains(lit.Value, `\`) {
				l.find(int(part.Pos().Line()), "{…} makes several words in bash alone, and sh leaves it as it is", "write the words out, or quote it if that is meant")
			}
		}
	}
}

// dollarQuotes finds $'…', which some sh take for a dollar sign and a text.
func (l *linter) dollarQuotes(word *syntax.Word) {
	for i, part := range word.Parts[1:] {
		_, quoted := part.(*syntax.SglQuoted)
		if before, is := word.Parts[i].(*syntax.Lit); is && quoted && strings.HasSuffix(before.Value, "$") && !strings.HasSuffix(before.Value, `\$`) {
			l.find(int(part.Pos().Line()), "$'…' is bash's, and some sh take the $ for a character", "use printf")
		}
	}
}

// stopsOnFailure checks that the script has set -e and set -u before its first command, so that it ends when a command fails or a variable is not
// set.
func (l *linter) stopsOnFailure(file *syntax.File) {
	inTime, late, begun := l.strict, "", false
	for _, stmt := range file.Stmts {
		call, isCall := stmt.Cmd.(*syntax.CallExpr)
		_, isFunction := stmt.Cmd.(*syntax.FuncDecl)
		switch {
		case isFunction || isCall && len(call.Args) == 0: // runs nothing yet
		case !isCall || call.Args[0].Lit() != "set":
			begun = true
		case begun:
			late += options(call)
		default:
			inTime += options(call)
		}
	}
	lacks := func(options string) (missing string) {
		for _, option := range "eu" {
			if !strings.ContainsRune(options, option) {
				missing += string(option)
			}
		}
		return missing
	}
	missing := lacks(inTime)
	why := map[string]string{
		"e": "it goes on after a command that has failed", "u": "it takes a variable that is not set for an empty one",
		"eu": "it goes on after a command that has failed, and takes a variable that is not set for an empty one",
	}[missing]
	switch {
	case !begun || missing == "":
	case lacks(inTime+late) == "":
		l.find(1, "set -"+missing+" comes after the first command: until then "+why, "move set -eu above the first command")
	default:
		l.find(1, "set -"+missing+" is missing: "+why, "write set -eu above the first command")
	}
}

// options returns the one-letter options that a call of set switches on.
func options(set *syntax.CallExpr) (on string) {
	for i, word := range set.Args[1:] {
		switch text := word.Lit(); {
		case text == "errexit" && set.Args[i].Lit() != "+o":
			on += "e"
		case text == "nounset" && set.Args[i].Lit() != "+o":
			on += "u"
		case strings.HasPrefix(text, "-") && text != "--":
			on += text[1:]
		}
	}
	return on
}
