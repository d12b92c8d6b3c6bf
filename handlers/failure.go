package handlers

import "errors"

// failure is what is known of a deploy that has failed.
type failure struct {
	words string
	seen  []string
	after string
}

func (h *Handlers) failureOf(t *task, reason error) *failure {
	f := &failure{words: reason.Error()}
	if rollout := (*rolloutError)(nil); errors.As(reason, &rollout) {
		f.seen = rollout.seen
	}
	return f
}

func (f *failure) see(found []string) { f.seen = append(f.seen, found...) }

func (f *failure) error() error {
	text := f.words
	for _, s := range f.seen {
		text += "\n" + s
	}
	if f.after != "" {
		text += "\n" + f.after
	}
	return errors.New(text)
}
