package cli

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"octo-operator/config"
	"octo-operator/dispatch/runs"
	"octo-operator/dispatch/runs/story"
	"octo-operator/text"
)

const (
	shownLines  = 40 // lines of each part that may be long
	shownOutput = 20 // lines of the end of the output
)

// printStory prints a run. Texts of others go through text.Printable. If whole is true, it prints all of the output. width is the
// terminal's in characters; 0: it is not a terminal.
func printStory(to io.Writer, s story.Story, now time.Time, whole bool, width int) {
	printHead(to, s, now)
	title := "REASON"
	if s.Result == nil && s.Outcome != story.Unreadable {
		title = "NOW"
	}
	reason := wrapText(s.Reason, width-2)
	if s.Until != nil {
		reason += fmt.Sprintf("\nthe next try is at %s UTC, in %s", s.Until.UTC().Format(time.TimeOnly), brief(s.Until.Sub(now).Seconds()))
	}
	printPart(to, title, reason, 0, "")
	printPart(to, "DAMAGED", strings.Join(s.Damaged, "\n"), 0, "")
	printTimeline(to, s, width)
	printCommands(to, s)
	event, err := yaml.JSONToYAML(s.Event)
	if err != nil {
		event = s.Event
	}
	printPart(to, "EVENT", string(event), shownLines, s.Dir+"/event.json")
	printPart(to, "VALUES", s.Values.Text, shownLines, s.Dir+"/values.yaml")
	printPart(to, "CHANGES", s.Changes.Text, shownLines, s.Dir+"/"+story.ChangesFile)
	printOutput(to, s, whole)
	printPart(to, "DIRECTORY", s.Dir+"\n"+strings.Join(s.Files, "  "), 0, "")
	rerun := "octo-operator runs rerun " + s.RandomEnd()
	if s.NoRerun != "" {
		rerun = "not possible: " + s.NoRerun
	}
	printPart(to, "TO RUN IT AGAIN", rerun, 0, "")
}

// printHead prints what a run is, whose it is, when it came and how long it took.
func printHead(to io.Writer, s story.Story, now time.Time) {
	of := ""
	for _, part := range [][2]string{
		{"release", s.Release}, {"namespace", s.Namespace}, {"tenant", s.Tenant}, {"workload", s.Workload}, {"pool", s.Pool},
	} {
		if part[1] != "" {
			of += fmt.Sprintf("%-10s %s\n", part[0], text.Shown(part[1]))
		}
	}
	took := " so far"
	if s.Ended != nil {
		took = ", until " + s.Ended.UTC().Format(time.DateTime) + " UTC"
	}
	fmt.Fprintf(to, "%-10s %s: %s\n%-10s %s\n%s", "outcome", s.Outcome, cmp.Or(s.Callback, "an event that cannot be read"), "run", text.Printable(s.ShortID), of)
	fmt.Fprintf(to, "%-10s %s UTC, %s ago\n%-10s %s%s\n", "came", s.Came.UTC().Format(time.DateTime), age(s.Came, now), "took", brief(s.Seconds), took)
}

// printPart prints a part, of at most most lines (0: all); file is where the rest is. An empty part is left out.
func printPart(to io.Writer, title, body string, most int, file string) {
	lines := strings.Split(strings.TrimRight(body, "\n"), "\n")
	if strings.TrimSpace(body) == "" {
		return
	}
	fmt.Fprintf(to, "\n%s\n", title)
	for i, line := range lines {
		if most > 0 && i == most {
			fmt.Fprintf(to, "  … %d more lines: %s\n", len(lines)-most, text.Printable(file))
			return
		}
		fmt.Fprintln(to, strings.TrimRight("  "+printableIndented(line), " "))
	}
}

// wrapText breaks lines that are longer than width between their words. If width is below 20, or there is no terminal, it does not.
func wrapText(body string, width int) string {
	if width < 20 {
		return body
	}
	var lines []string
	for line := range strings.SplitSeq(body, "\n") {
		lines = append(lines, wrapped(line, width, width, "  ", "")...)
	}
	return strings.Join(lines, "\n")
}

// printableIndented is text.Printable, with tabs replaced by the spaces that a terminal would show.
func printableIndented(line string) string {
	return text.Printable(strings.ReplaceAll(line, "\t", "    "))
}

// printTimeline prints what happened, with the time (UTC) and how long each step took.
func printTimeline(to io.Writer, s story.Story, width int) {
	if len(s.Timeline) == 0 {
		return
	}
	fmt.Fprintln(to, "\nTIMELINE (UTC)")
	for _, step := range s.Timeline {
		took := ""
		if step.Open || step.Seconds > 0 || lasts(step.Kind) {
			took = brief(step.Seconds)
		}
		if step.Open {
			took += "…"
		}
		step.Name = inRun(step.Name, s.Dir)
		line := fmt.Sprintf("  %s %7s  %s", step.Time.UTC().Format("15:04:05.000"), took, stepWords(step))
		fmt.Fprintln(to, strings.TrimRight(shortened(line, cmp.Or(width, 160)), " "))
	}
}

func lasts(kind runs.Kind) bool {
	return slices.Contains([]runs.Kind{runs.KindPhase, runs.KindWait, runs.KindScript, runs.KindCommand}, kind)
}

// stepWords says what happened; scripts are below their phase, and commands below their script.
func stepWords(step story.Step) string {
	name, words := firstLine(step.Name), firstLine(step.Text)
	detail := func(more ...string) string {
		all := slices.DeleteFunc(append([]string{words}, more...), func(s string) bool { return s == "" })
		if len(all) == 0 {
			return ""
		}
		return ": " + strings.Join(all, ", ")
	}
	switch step.Kind {
	case runs.KindPhase:
		return fmt.Sprintf("%-9s %s%s", name, story.PhaseWords(name), detail())
	case runs.KindWait:
		until := ""
		if step.Until != nil {
			until = ", until " + step.Until.UTC().Format(time.TimeOnly)
		}
		return fmt.Sprintf("%-9s %s%s", "wait", firstLine(story.WaitWords(step.Moment)), until)
	case runs.KindScript, runs.KindExit:
		return "  " + name + detail(usage(step.Moment)...)
	case runs.KindCommand:
		return "    " + withoutKubeconfig(name)
	case runs.KindEnd:
		return fmt.Sprintf("%-9s %s", "end", name)
	}
	return fmt.Sprintf("%-9s %s", firstLine(string(step.Kind)), strings.TrimSpace(name+" "+words))
}

// usage says what a script has cost and how it ended, by its exit.
func usage(m runs.Moment) (words []string) {
	if m.ExitCode != nil && *m.ExitCode != 0 {
		words = append(words, fmt.Sprintf("exit code %d", *m.ExitCode))
	}
	if m.CPU > 0 {
		words = append(words, brief(m.CPU)+" of processor time")
	}
	if m.Memory > 0 {
		words = append(words, config.FormatMemory(m.Memory)+" at most")
	}
	return words
}

// withoutKubeconfig removes the assignment before a command, so that a timeline begins with the command.
func withoutKubeconfig(command string) string {
	if rest, is := strings.CutPrefix(command, "KUBECONFIG="); is {
		_, command, _ = strings.Cut(rest, " ")
	}
	return command
}

// printCommands prints the commands for a shell in which RUN is the run's directory, and KUBECONFIG the commands' own: in full they would
// not fit on a terminal.
func printCommands(to io.Writer, s story.Story) {
	if len(s.Commands) == 0 {
		return
	}
	var first []string
	lines := make([]string, len(s.Commands))
	for i, command := range s.Commands {
		lines[i] = inRun(command, s.Dir)
	}
	if !slices.Equal(lines, s.Commands) {
		first = append(first, "RUN="+s.Dir)
	}
	kubeconfig, _, _ := strings.Cut(lines[0], " ")
	other := func(line string) bool { return !strings.HasPrefix(line, kubeconfig+" ") }
	if strings.HasPrefix(kubeconfig, "KUBECONFIG=") && !strings.Contains(kubeconfig, "'") && !slices.ContainsFunc(lines, other) {
		first = append(first, "export "+kubeconfig)
		for i, line := range lines {
			lines[i] = strings.TrimPrefix(line, kubeconfig+" ")
		}
	}
	body := strings.Join(append(first, lines...), "\n")
	if s.Ended != nil && strings.Contains(body, "/secret.yaml") {
		body += "\n(secret.yaml was removed when the run ended: what reads it can be pasted no longer)"
	}
	printPart(to, "COMMANDS", body, 0, "")
}

// inRuns replaces the run's directory by $RUN in lines to be read.
func inRuns(lines []string, dir string) []string {
	short := make([]string, len(lines))
	for i, line := range lines {
		short[i] = strings.ReplaceAll(line, dir+"/", "$RUN/")
	}
	return short
}

// inRun replaces the run's directory by $RUN in the words of a command, except within quotes, where the shell would not expand it.
func inRun(command, dir string) string {
	words := strings.Split(command, " ")
	quoted := false
	for i, word := range words {
		if !quoted && !strings.Contains(word, "'") && !strings.ContainsAny(dir, " '$") {
			words[i] = strings.ReplaceAll(word, dir+"/", "$RUN/")
		}
		for at, c := range word {
			if c == '\'' && (quoted || at == 0 || word[at-1] != '\\') {
				quoted = !quoted
			}
		}
	}
	return strings.Join(words, " ")
}

// printOutput prints the end of the output, or all of it.
func printOutput(to io.Writer, s story.Story, whole bool) {
	file := s.Dir + "/output.log"
	if whole {
		fmt.Fprintln(to, "\nOUTPUT")
		if err := printFile(to, file); err != nil {
			fmt.Fprintf(to, "  cannot read it: %s\n", text.Printable(err.Error()))
		}
		return
	}
	lines := strings.Split(strings.TrimSuffix(s.Output.Text, "\n"), "\n")
	title := "OUTPUT"
	if len(lines) > shownOutput || s.Output.LeftOut > 0 {
		lines = lines[max(0, len(lines)-shownOutput):]
		title = fmt.Sprintf("THE LAST %d LINES OF THE OUTPUT (--whole has all)", len(lines))
	}
	printPart(to, title, strings.Join(inRuns(lines, s.Dir), "\n"), 0, "")
}

// printFile prints a file; unprintable characters are replaced.
func printFile(to io.Writer, file string) error {
	f, _, err := runs.OpenFile(file)
	if err != nil {
		return err
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			fmt.Fprintln(to, "  "+printableIndented(strings.TrimSuffix(line, "\n")))
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
