package merge

// tree holds replaced values by their path.
type tree struct {
	here  []lost
	below map[Step]*tree
}

func (t *tree) add(l lost) {
	for _, step := range l.path {
		if t.below == nil {
			t.below = map[Step]*tree{}
		}
		if t.below[step] == nil {
			t.below[step] = &tree{}
		}
		t = t.below[step]
	}
	t.here = append(t.here, l)
}

// child returns the tree below a step; nil: there is none. child, hereOnly, all and besides take nil for an empty tree.
func (t *tree) child(step Step) *tree {
	if t == nil {
		return nil
	}
	return t.below[step]
}

func (t *tree) hereOnly() []lost {
	if t == nil {
		return nil
	}
	return t.here
}

// all returns everything here and below.
func (t *tree) all() []lost {
	return append(t.hereOnly()[:len(t.hereOnly()):len(t.hereOnly())], t.besides(func(Step) bool { return false })...)
}

// besides returns everything below, except below the steps for which known returns true.
func (t *tree) besides(known func(Step) bool) (all []lost) {
	if t == nil {
		return nil
	}
	for step, below := range t.below {
		if !known(step) {
			all = append(all, below.all()...)
		}
	}
	return all
}

// touches tells whether something in the tree is at path, above or below it.
func (t *tree) touches(path Path) bool {
	for _, step := range path {
		if len(t.here) > 0 {
			return true
		}
		if t = t.below[step]; t == nil {
			return false
		}
	}
	return true
}
