package cli

import (
	"strings"
	"unicode/utf8"

	"octo-operator/text"
)

// kubeconfigSet matches how scripts announce a command that uses another cluster than the usual one.
var kubeconfigSet = text.NewPattern(`^KUBECONFIG=(?:'[^']*'|\S)+ `)

// command returns a command of a run as a person would type it in the run directory. Before it come lines of their own that lead there
// and to the cluster, unless an earlier record had them.
func (t *told) command(cmd, run string) (lines []string) {
	if set := kubeconfigSet.FindStringIndex(cmd); set != nil {
		kubeconfig := strings.TrimSpace(cmd[:set[1]])
		if cmd = cmd[set[1]:]; kubeconfig != t.kubeconfig {
			t.kubeconfig = kubeconfig
			lines = append(lines, "export "+kubeconfig)
		}
	}
	if dir := dirOf(cmd, run); dir != "" {
		if cmd = strings.ReplaceAll(cmd, dir+"/", ""); dir != t.dir {
			t.dir = dir
			lines = append(lines, "cd "+dir)
		}
	}
	return append(lines, cmd)
}

// dirOf returns the run directory if a command names a file in it, else "". A directory that has to be quoted is not recognized.
func dirOf(cmd, run string) string {
	in := strings.Index(cmd, "/"+run+"/")
	if run == "" || in < 0 {
		return ""
	}
	dir := cmd[strings.LastIndexAny(cmd[:in], " =,")+1 : in+1+len(run)]
	if !strings.HasPrefix(dir, "/") {
		return ""
	}
	return dir
}

// longestWord is how many characters of a word of a command are shown on a terminal: the labels of a revision are 500 bytes.
// "octo-operator runs show" has all of it.
const longestWord = 100

// shortWords cuts words that are too long, except the directory of cd.
func shortWords(command string) string {
	words := strings.Split(command, " ")
	for i, word := range words {
		if i == 0 || words[i-1] != "cd" {
			words[i] = text.Shortened(word, longestWord)
		}
	}
	return strings.Join(words, " ")
}

// wrapped breaks a text into lines: at its line breaks, and before words that do not fit. The first line has first columns, the others
// have rest. A word that is longer than a line stays whole. All lines but the first begin with hang; a line that is continued ends with
// goesOn.
func wrapped(whole string, first, rest int, hang, goesOn string) (lines []string) {
	columns := first
	for i, line := range strings.Split(strings.ReplaceAll(whole, "\t", indent), "\n") {
		if i > 0 {
			line, columns = hang+line, rest
		}
		for utf8.RuneCountInString(line) > columns {
			cut := lastBlank(line, columns-len(goesOn), goesOn != "")
			if cut < 0 {
				break
			}
			lines = append(lines, line[:cut]+goesOn)
			line, columns = hang+line[cut+1:], rest
		}
		lines = append(lines, line)
	}
	return lines
}

// lastBlank returns where a line is to be broken: at the last blank within the columns that has a word before it, or else at the first
// one after them; -1: there is none. In a command a blank within quotation marks is part of a word.
func lastBlank(line string, columns int, inCommand bool) int {
	last, quoted, column, word := -1, false, 0, false
	for at, r := range line {
		if column > columns && last >= 0 {
			break
		}
		switch {
		case r == '\'' && inCommand && (quoted || !strings.HasSuffix(line[:at], `\`)):
			quoted = !quoted
		case r == ' ' && !quoted && word:
			if column > columns && last < 0 {
				return at
			}
			if column <= columns {
				last = at
			}
		}
		word = word || r != ' '
		column++
	}
	return last
}
