package config

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

// fileSuffix at the end of a setting's name makes its value the path of a file that holds the setting's own value: so that a
// password need not be in the environment.
const fileSuffix = "__FILE"

// largestFile is as much as a Secret can hold.
const largestFile = 1 << 20

// readFiles puts what the files of NAME__FILE hold in the place of NAME. They are read once, at the start. Each error names the
// variable and the file, and never what is in it.
func (e environment) readFiles() (wrong []error) {
	for _, key := range slices.Sorted(maps.Keys(e)) {
		name, ok := fileOf(key)
		if !ok || e.value(key) == "" {
			continue
		}
		if e.value(name) != "" {
			wrong = append(wrong, fmt.Errorf("%s and %s are both set: leave one of them out", name, key))
			continue
		}
		text, err := readFile(e[key].value)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", key, err))
			continue
		}
		written := e[key].name
		e[name] = variable{written[:len(written)-len(fileSuffix)], text}
	}
	return wrong
}

// fileOf is the setting whose value a variable, in upper case, names the file of.
func fileOf(name string) (setting string, ok bool) {
	before, ok := strings.CutSuffix(name, fileSuffix)
	if !ok || !strings.HasPrefix(before, "OPERATOR__") {
		return "", false
	}
	s, known := find(before)
	return before, known && !s.ignored()
}

// readFile reads a setting's value, without the line break with which editors and echo end a file.
func readFile(path string) (string, error) {
	// A pipe or a device may never end.
	if info, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("cannot read the file: %w", err)
	} else if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the file: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read the file: %w", err)
	case len(text) > largestFile:
		return "", fmt.Errorf("%s has more than %d bytes", path, largestFile)
	case strings.ContainsRune(string(text), 0):
		return "", fmt.Errorf("%s holds a zero byte, which no setting can", path)
	}
	value := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if strings.TrimSpace(value) == "" {
		return "", errors.New(path + " is empty")
	}
	return value, nil
}
