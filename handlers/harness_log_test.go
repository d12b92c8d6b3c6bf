package handlers_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
)

// recorded is the operator's log, over all its lives.
type recorded struct {
	mu    sync.Mutex
	lines []string
}

// Write takes one record.
func (l *recorded) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(line))
	return len(line), nil
}

func (l *recorded) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// records are those with a message, whose attributes hold all of attrs.
func (l *recorded) records(message string, attrs ...string) (found []object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		var record object
		if !strings.Contains(line, message) {
			continue // most of them, and tests ask often
		}
		if json.Unmarshal([]byte(line), &record) != nil || record["msg"] != message {
			continue
		}
		same := true
		for i := 0; i+1 < len(attrs); i += 2 {
			same = same && fmt.Sprint(record[attrs[i]]) == attrs[i+1]
		}
		if same {
			found = append(found, record)
		}
	}
	return found
}
