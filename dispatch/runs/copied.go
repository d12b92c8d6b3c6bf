package runs

import "os"

// copiedFile exists if the cluster has, or has had, a copy of the run. If another operator becomes leader, it works on the events that
// have a copy; those without one are known to nobody else.
const copiedFile = "copied"

// SetCopied notes that the cluster has a copy of the run. An error is ignored: at worst the run is handed over once more to an operator
// that knows it already.
func (r *Run) SetCopied() {
	if r.Dir != "" { // "": the run is not on this disk
		_ = os.WriteFile(r.Path(copiedFile), nil, 0o600)
	}
}

// Copied tells whether the cluster has, or has had, a copy of the run.
func (r *Run) Copied() bool { return r.Has(copiedFile) }
