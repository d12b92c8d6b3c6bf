package merge

import (
	"fmt"
	"sync"
)

// Everything here is written by somebody else: a tenant's event, a chart from anywhere. A document that is not refused takes
// some hundred MiB for a second at most, and documents that could take as much are worked on one at a time.
const (
	// MaxDocument is the size limit of a document in bytes: as text, with its aliases written out, and merged. An event may be
	// 4 MiB, and helm 3 reads no file of a chart beyond 5 MiB.
	MaxDocument = 5 << 20

	// MaxValues limits how many values a document may hold, because each takes about a KiB in the end, even if its text is
	// "1,". The largest values.yaml of a public chart has some ten thousand.
	MaxValues = 100_000

	// MaxDepth limits how deep maps and lists are nested. Values that people write stay below 20.
	MaxDepth = 100

	// maxParts limits the documents in one stream: each costs a parser, even if it is empty.
	maxParts = 1000

	// maxOverrides limits the overrides of one layer.
	maxOverrides = 10_000

	// maxAdded limits how many maps and list elements all overrides of a document may add to reach their paths. Without it a
	// path such as a[65536][65536][65536] costs a MiB for each bracket.
	maxAdded = 2 * MaxIndex
)

// checkSize refuses a text that would take too much memory to read, before anything is read.
func checkSize(text []byte) error {
	if len(text) > MaxDocument {
		return fmt.Errorf("it has %d bytes, the limit is %d", len(text), MaxDocument)
	}
	if places := places(text); places > MaxValues {
		return fmt.Errorf("it has %d places at which a value may begin (after one of , : ? - [ {), the limit is %d", places, MaxValues)
	}
	return nil
}

// places counts the characters before which or after which a value may stand in YAML or JSON: no text holds more than three
// times as many values. Those in texts and comments count too, only a whole parser could tell them apart.
func places(text []byte) (count int) {
	for i, c := range text {
		switch c {
		case ',', ':', '?', '[', '{':
			count++
		case '-': // a list's dash has no letter after it
			if i+1 == len(text) || !inWord(text[i+1]) {
				count++
			}
		}
	}
	return count
}

func inWord(c byte) bool {
	return c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// checkOverrides refuses overrides that would take too much memory, each for itself or all together.
func checkOverrides(layers ...[]Override) error {
	size, values := 0, 0
	for _, overrides := range layers {
		if len(overrides) > maxOverrides {
			return fmt.Errorf("cannot set %d overrides, the limit is %d", len(overrides), maxOverrides)
		}
		for _, o := range overrides {
			size += len(o.Path) + len(o.Value)
			if !o.Secret {
				values += places([]byte(o.Value))
			}
		}
	}
	if size > MaxDocument || values > MaxValues {
		return fmt.Errorf("cannot set overrides of %d bytes with %d places at which a value may begin (after one of , : ? - [ {), the limits are %d and %d",
			size, values, MaxDocument, MaxValues)
	}
	return nil
}

// large is how many bytes of text may take so much memory that they have to wait for each other.
const large = 64 << 10

var oneLarge sync.Mutex

// takeTurn waits until nobody else works on something large, if that is what size bytes are. The caller gives the turn back.
func takeTurn(size int) (giveBack func()) {
	if size < large {
		return func() {}
	}
	oneLarge.Lock()
	return oneLarge.Unlock
}

// size is how much text is worked on.
func (in Input) size() int {
	size := len(in.Values) + len(in.ChartValues) + len(in.ChartSchema)
	for _, o := range in.Overrides {
		size += len(o.Value)
	}
	return size
}
