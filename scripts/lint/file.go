package lint

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"octo-operator/scripts"
)

// StepOf returns the step that a file of this name serves; "": none.
func StepOf(path string) string {
	if name := filepath.Base(path); slices.Contains(scripts.Names(), name) {
		return name
	}
	return ""
}

// File checks a script on disk as Text does. It also checks whether the file of a step can be executed, whether its interpreter exists here, and what
// that shell says about its syntax. The error says that the file cannot be read.
func File(ctx context.Context, path, step string) ([]Finding, error) {
	text, err := scripts.ReadScript(path)
	if err != nil {
		return nil, fmt.Errorf("cannot look at the script: %w", err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("cannot look at the script: %w", err)
	}
	var findings []Finding
	if step != "" && info.Mode()&0o111 == 0 {
		findings = append(findings, Finding{1, "it may not be executed", "chmod +x " + path + "; of a mounted ConfigMap, defaultMode: 0755"})
	}
	interpreter := Interpreter(text)
	if interpreter != "" {
		if _, err := os.Stat(interpreter); err != nil {
			findings = append(findings, Finding{1, "there is no " + interpreter + " here to run it", "begin it with #!/bin/sh, or use an image that has it: docs/scripts.md"})
			interpreter = ""
		}
	}
	ofText := Text(text, step)
	if !slices.ContainsFunc(ofText, isSyntax) {
		ofText = append(ofText, ofShell(ctx, interpreter, path)...)
	}
	return append(findings, ofText...), nil
}

func isSyntax(f Finding) bool { return strings.HasPrefix(f.What, "syntax error: ") }

var (
	isShell      = regexp.MustCompile(`^/(?:[\w.-]+/)*(?:sh|dash|ash|bash)$`)
	shellMessage = regexp.MustCompile(`(?m)^.*?(?:line )?(\d+): (.*)$`)
)

// ofShell lets a shell check the syntax of a file (sh -n), which runs nothing. A library that names no shell is checked by /bin/sh.
func ofShell(ctx context.Context, shell, path string) []Finding {
	if shell == "" && strings.HasSuffix(path, ".sh") {
		shell = "/bin/sh"
	}
	if !isShell.MatchString(shell) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	command := exec.CommandContext(ctx, shell, "-n", absolute)
	command.Env = []string{"LC_ALL=C"}
	out, err := command.CombinedOutput()
	if err == nil || ctx.Err() != nil {
		return nil
	}
	finding := Finding{1, "syntax error: " + strings.TrimSpace(string(out)), "correct it: " + shell + " cannot read the script"}
	if m := shellMessage.FindStringSubmatch(strings.TrimPrefix(string(out), absolute)); m != nil {
		finding.Line, _ = strconv.Atoi(m[1])
		finding.What = "syntax error: " + m[2]
	}
	return []Finding{finding}
}
