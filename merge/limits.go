package merge

import (
	"fmt"
	"sync"

	"octo-operator/bounds"
)

// All documents here come from somebody else: an event, a chart. Package bounds limits their size. Besides, large ones are worked on one
// at a time.

// maxAdded limits how many maps and list elements the overrides of a document may create on the way to their targets. Without it a path
// such as a[65536][65536][65536] would cost a MiB for each bracket.
const maxAdded = 2 * maxIndex

// checkOverrides refuses overrides that would take too much memory, one by one or together.
func checkOverrides(layers ...[]Override) error {
	size, values := 0, 0
	for _, overrides := range layers {
		if len(overrides) > bounds.Overrides {
			return fmt.Errorf("cannot set %d overrides, the limit is %d", len(overrides), bounds.Overrides)
		}
		for _, o := range overrides {
			size += len(o.Path) + len(o.Value)
			if !o.Secret {
				values += bounds.Places([]byte(o.Value))
			}
		}
	}
	if size > bounds.Document || values > bounds.Values {
		return fmt.Errorf("cannot set overrides of %d bytes with %d places at which a value may begin (after one of , : ? - [ {), the limits are %d and %d",
			size, values, bounds.Document, bounds.Values)
	}
	return nil
}

// large is in bytes: texts of this size or more may take so much memory that they are worked on one at a time.
const large = 64 << 10

var oneLarge sync.Mutex

// takeTurn waits, if size is large, until nobody else works on a large document. The caller must call giveBack afterwards.
func takeTurn(size int) (giveBack func()) {
	if size < large {
		return func() {}
	}
	oneLarge.Lock()
	return oneLarge.Unlock
}

// size returns the bytes of text that the merge works on.
func (in Input) size() int {
	size := len(in.Values) + len(in.ChartValues) + len(in.ChartSchema)
	for _, o := range in.Overrides {
		size += len(o.Value)
	}
	return size
}
