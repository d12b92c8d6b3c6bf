package scripts

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Names returns the steps, sorted: each is the name of a script.
func Names() []string { return slices.Clone(names) }

// Libraries returns the files that scripts source, sorted.
func Libraries() []string { return slices.Sorted(slices.Values(libraries)) }

// Default returns the embedded text of a step's script, or of a library that scripts source. The error names the steps.
func Default(name string) ([]byte, error) {
	if !slices.Contains(names, name) && !slices.Contains(libraries, name) {
		return nil, fmt.Errorf("there is no script %q: they are %s", name, strings.Join(names, ", "))
	}
	return embedded.ReadFile(name)
}

// Serving is the script that runs for a step.
type Serving struct {
	Step string
	Path string // of the environment's own script; "": the default serves
	Text []byte // nil: it cannot be read
	// Default is the embedded script.
	Default []byte
}

// Own tells whether the environment's own script serves the step.
func (s Serving) Own() bool { return s.Path != "" }

// Serve returns the script of a step. ownDir has the environment's own scripts; "": there are none. Unlike Install it writes nothing. The error names
// the step or the file.
func Serve(ownDir, step string) (Serving, error) {
	text, err := Default(step)
	if err != nil {
		return Serving{}, err
	}
	s := Serving{Step: step, Text: text, Default: text}
	if ownDir == "" || !slices.Contains(names, step) {
		return s, nil
	}
	path := filepath.Join(ownDir, step)
	if !exists(path) { // as in Set.Path
		return s, nil
	}
	s.Path = path
	if s.Text, err = ReadScript(path); err != nil {
		s.Text = nil
		return s, fmt.Errorf("cannot read the script of %s: %w", step, err)
	}
	return s, nil
}

// ServeAll returns the scripts of all steps. Those that cannot be read are without Text, and the error names them; it also names files
// of ownDir with which the operator would not start.
func ServeAll(ownDir string) (all []Serving, err error) {
	if ownDir != "" {
		if err = checkOwn(ownDir); err != nil {
			err = fmt.Errorf("the operator does not start with OPERATOR__SCRIPTSDIR: %w", err)
		}
	}
	for _, name := range names {
		s, unread := Serve(ownDir, name)
		all, err = append(all, s), errors.Join(err, unread)
	}
	return all, err
}

// longestScript is in bytes. The longest of the defaults has 5 KiB.
const longestScript = 64 << 10

// ReadScript reads a file that may be a script. It is an error if the file is not a regular file, or has more than 64 KiB.
func ReadScript(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("it is no regular file")}
	case info.Size() > longestScript:
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has %d bytes, and a script has at most %d", info.Size(), longestScript)}
	}
	return os.ReadFile(path)
}

// OwnFiles returns the files of ownDir that may be shell scripts: those of steps, and those that end in .sh, which scripts may source. Sorted by
// name.
func OwnFiles(ownDir string) (paths []string, err error) {
	entries, err := os.ReadDir(ownDir)
	if err != nil {
		return nil, fmt.Errorf("cannot read OPERATOR__SCRIPTSDIR: %w", err)
	}
	for _, e := range entries {
		if slices.Contains(names, e.Name()) || strings.HasSuffix(e.Name(), ".sh") && !strings.HasPrefix(e.Name(), ".") {
			paths = append(paths, filepath.Join(ownDir, e.Name()))
		}
	}
	return paths, nil
}
