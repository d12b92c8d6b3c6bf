package lint

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"mvdan.cc/sh/v3/syntax"

	"octo-operator/scripts"
)

// ofShells are variables that a shell sets itself.
var ofShells = map[shell][]string{
	posix: strings.Fields("PWD OLDPWD IFS PPID OPTIND OPTARG LINENO PS1 PS2 PS4 RANDOM SHLVL"),
	bash: strings.Fields(`PWD OLDPWD IFS PPID OPTIND OPTARG LINENO PS1 PS2 PS4 RANDOM SHLVL BASH BASHPID BASH_SOURCE BASH_VERSION BASH_VERSINFO BASH_LINENO
		BASH_COMMAND BASH_REMATCH FUNCNAME PIPESTATUS EUID UID GROUPS SECONDS REPLY HOSTNAME OSTYPE MACHTYPE HOSTTYPE EPOCHSECONDS EPOCHREALTIME SRANDOM COPROC
		MAPFILE DIRSTACK SHELLOPTS BASHOPTS`),
}

// use is a place where a variable is read.
type use struct {
	name      string
	at        syntax.Pos
	mayBeNone bool // ${name-…} and the like: it need not be set
}

func (u use) line() int { return int(u.at.Line()) }

// known is what a script does with variables.
type known struct {
	set     map[string]bool
	anySet  bool // the script may set any other variable too: see setsUnknown
	uses    []use
	guarded []*syntax.ParamExp // ${name:+…$name…}
}

// variables finds variables that are read and never set.
func (l *linter) variables(file *syntax.File) {
	k := &known{set: map[string]bool{}}
	syntax.Walk(file, func(node syntax.Node) bool {
		k.add(node)
		return true
	})
	for _, u := range k.uses {
		u.mayBeNone = u.mayBeNone || slices.ContainsFunc(k.guarded, func(p *syntax.ParamExp) bool {
			return p.Param.Value == u.name && u.at.After(p.Pos()) && p.End().After(u.at)
		})
		switch {
		case k.set[u.name], slices.Contains(scripts.Environment(), u.name), slices.Contains(ofShells[l.shell], u.name):
		case strings.HasPrefix(u.name, "OCTO_"):
			l.contract(u)
		case !u.mayBeNone && !k.anySet && !l.library && !l.isOff("SC2154", u.line()):
			l.find(u.line(), u.name+" is used and never set, and scripts get only the variables of docs/scripts.md",
				fmt.Sprintf("set it in the script, read it from a file, or write ${%s-} if it may be missing", u.name))
		}
	}
}

// add notes what a part of a script sets or reads.
func (k *known) add(node syntax.Node) {
	switch n := node.(type) {
	case *syntax.CallExpr:
		for _, name := range setBy(n) {
			k.set[name] = true
		}
		k.anySet = k.anySet || setsUnknown(n)
		if sourcesOurs(n) {
			maps.Copy(k.set, setByLibraries())
		}
	case *syntax.Assign:
		if n.Name != nil {
			k.set[n.Name.Value] = true
		}
	case *syntax.WordIter:
		k.set[n.Name.Value] = true
	case *syntax.ArithmExp:
		for _, name := range namesIn(n) { // $((n=1)) sets n; $((n+1)) takes an unset n for 0, or the shell reports it
			k.set[name] = true
		}
	case *syntax.ParamExp:
		if n.Param != nil && syntax.ValidName(n.Param.Value) {
			k.read(n)
		}
	}
}

// read notes an expansion, which may set the variable too.
func (k *known) read(p *syntax.ParamExp) {
	u := use{name: p.Param.Value, at: p.Pos()}
	if p.Exp != nil {
		switch p.Exp.Op {
		case syntax.AssignUnset, syntax.AssignUnsetOrNull:
			k.set[u.name] = true
		case syntax.AlternateUnset, syntax.AlternateUnsetOrNull:
			k.guarded, u.mayBeNone = append(k.guarded, p), true
		case syntax.DefaultUnset, syntax.DefaultUnsetOrNull, syntax.ErrorUnset, syntax.ErrorUnsetOrNull:
			u.mayBeNone = true
		}
	}
	k.uses = append(k.uses, u)
}

// contract checks whether a step's script gets a variable.
func (l *linter) contract(u use) {
	own, all := scripts.Variables(l.step), scripts.Variables("")
	switch {
	case slices.Contains(own, u.name):
	case !slices.Contains(all, u.name):
		do := "docs/scripts.md lists those that there are"
		if near := nearest(u.name, own); near != "" {
			do = "is " + near + " meant?"
		}
		l.find(u.line(), "no script gets "+u.name, do)
	case !u.mayBeNone:
		l.find(u.line(), fmt.Sprintf("%s does not get %s", l.step, u.name), fmt.Sprintf("write ${%s-} if the script serves other steps too; docs/scripts.md lists what it gets", u.name))
	}
}

// nearest returns the one of names that differs least from name, by at most two characters; "": there is none.
func nearest(name string, names []string) (best string) {
	least := 3
	for _, candidate := range names {
		if d := distance(name, candidate); d < least {
			least, best = d, candidate
		}
	}
	return best
}

// distance returns how many bytes have to be changed, added or removed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		before := row[0]
		row[0] = i + 1
		for j := range b {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}

// setBy returns the variables that a command sets: read, getopts, export and the like.
func setBy(call *syntax.CallExpr) (names []string) {
	if len(call.Args) == 0 {
		return nil
	}
	switch command := call.Args[0].Lit(); command {
	case "read", "getopts", "export", "readonly", "local", "unset", "declare", "typeset", "mapfile", "readarray", "printf", "wait", "let":
		for _, word := range call.Args[1:] {
			name, _, assigned := strings.Cut(begin(word), "=")
			if syntax.ValidName(name) && (assigned || command != "export" && command != "readonly") {
				names = append(names, name)
			}
		}
	}
	return names
}

// setsUnknown tells whether a command may set any variable: eval, or sourcing a file that is not the operator's.
func setsUnknown(call *syntax.CallExpr) bool {
	if len(call.Args) == 0 {
		return false
	}
	switch call.Args[0].Lit() {
	case "eval":
		return true
	case ".", "source":
		return !sourcesOurs(call)
	}
	return false
}

// sourcesOurs tells whether a command sources one of the operator's libraries, which lie where OCTO_LIB says.
func sourcesOurs(call *syntax.CallExpr) (ours bool) {
	if len(call.Args) == 0 || call.Args[0].Lit() != "." && call.Args[0].Lit() != "source" {
		return false
	}
	for _, word := range call.Args[1:] {
		syntax.Walk(word, func(node syntax.Node) bool {
			p, is := node.(*syntax.ParamExp)
			ours = ours || is && p.Param != nil && p.Param.Value == "OCTO_LIB"
			return true
		})
	}
	return ours
}

// setByLibraries returns the variables that the operator's libraries set.
var setByLibraries = sync.OnceValue(func() map[string]bool {
	set := map[string]bool{}
	for _, name := range scripts.Libraries() {
		text, err := scripts.Default(name)
		if err != nil {
			continue
		}
		if file, err := parse(text, posix); err == nil {
			syntax.Walk(file, func(node syntax.Node) bool {
				if assign, is := node.(*syntax.Assign); is && assign.Name != nil {
					set[assign.Name.Value] = true
				}
				return true
			})
		}
	}
	return set
})

// begin returns the literal text with which a word begins.
func begin(word *syntax.Word) string {
	if len(word.Parts) > 0 {
		if text, is := word.Parts[0].(*syntax.Lit); is {
			return text.Value
		}
	}
	return ""
}

func namesIn(arithmetic *syntax.ArithmExp) (names []string) {
	syntax.Walk(arithmetic, func(node syntax.Node) bool {
		if text, is := node.(*syntax.Lit); is && syntax.ValidName(text.Value) {
			names = append(names, text.Value)
		}
		_, inside := node.(*syntax.ParamExp)
		return !inside
	})
	return names
}
