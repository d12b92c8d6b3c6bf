package runs

import "os"

// copiedFile says that the cluster has had a copy of the run. While other operators lead, what has a copy is theirs to do, and what has
// none is known to nobody else.
const copiedFile = "copied"

// SetCopied notes that the cluster has a copy of the run. A note that cannot be written is no harm: the run is handed over once more, to
// an operator that knows it.
func (r *Run) SetCopied() {
	if r.Dir != "" { // else it has never been on this disk
		_ = os.WriteFile(r.Path(copiedFile), nil, 0o600)
	}
}

// Copied tells whether the cluster has, or has had, a copy of the run.
func (r *Run) Copied() bool { return r.Has(copiedFile) }
