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

// A variable NAME__FILE holds the path of a file with the value of the setting NAME. So a password need not be in the environment.
const fileSuffix = "__FILE"

// largestFile is in bytes: as much as a Kubernetes Secret can hold.
const largestFile = 1 << 20

// readFiles sets NAME to the content of the file that NAME__FILE names. Files are read once, at the start. The errors name the variable
// and the file, never the content.
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

// fileOf returns the setting NAME for a variable NAME__FILE (in upper case); not ok if the variable is not of this form, or if NAME is no
// setting that this operator reads.
func fileOf(name string) (setting string, ok bool) {
	before, ok := strings.CutSuffix(name, fileSuffix)
	if !ok || !strings.HasPrefix(before, "OPERATOR__") && !strings.HasPrefix(before, "OTEL_") {
		return "", false
	}
	s, known := find(before)
	return before, known && !s.ignored()
}

// readFile reads a setting's value. The line break that editors and echo put at the end of a file is removed.
func readFile(path string) (string, error) {
	// Reading a pipe or a device might never end.
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
