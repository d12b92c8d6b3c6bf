package merge

import (
	"fmt"
	"sync"

	"octo-operator/bounds"
)

// Everything here is written by somebody else: a tenant's event, a chart from anywhere. What documents may be is in room bounds; documents
// that could take as much as they may are worked on one at a time.

// maxAdded limits how many maps and list elements all overrides of a document may add to reach their paths. Without it a
// path such as a[65536][65536][65536] costs a MiB for each bracket.
const maxAdded = 2 * maxIndex

// checkOverrides refuses overrides that would take too much memory, each for itself or all together.
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
