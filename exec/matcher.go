package exec

import "io"

// matcher finds many texts at once in a stream of bytes (Aho-Corasick): one
// step per byte, however many secrets there are. The tree's nodes are kept as
// lists, not tables: a secret may be a keystore of 100 KB.
type matcher struct {
	nodes []node
	root  [256]int32 // the root's children by their byte, 0 for none
}

// node stands for the text on the way from the root to it.
type node struct {
	child, sibling int32 // 0 for none
	fail           int32 // the node of the longest shorter ending of this text
	depth          int32 // length of this text
	match          int32 // length of the longest text to find that this one ends with; 0 for none
	b              byte
}

func newMatcher() *matcher { return &matcher{nodes: make([]node, 1)} }

// add adds a text to find. To be called before link.
func (m *matcher) add(text string) {
	if len(text) < MinSecret {
		return
	}
	at := int32(0)
	for i := range len(text) {
		next := m.childOf(at, text[i])
		if next == 0 {
			next = int32(len(m.nodes))
			m.nodes = append(m.nodes, node{b: text[i], sibling: m.nodes[at].child, depth: int32(i + 1)})
			m.nodes[at].child = next
			if at == 0 {
				m.root[text[i]] = next
			}
		}
		at = next
	}
	m.nodes[at].match = int32(len(text))
}

// link sets where to go on when a text turns out to be another one, level by
// level from the root.
func (m *matcher) link() {
	level := []int32{0}
	for len(level) > 0 {
		var below []int32
		for _, parent := range level {
			for c := m.nodes[parent].child; c != 0; c = m.nodes[c].sibling {
				if parent != 0 {
					m.nodes[c].fail = m.step(m.nodes[parent].fail, m.nodes[c].b)
				}
				m.nodes[c].match = max(m.nodes[c].match, m.nodes[m.nodes[c].fail].match)
				below = append(below, c)
			}
		}
		level = below
	}
}

// step returns the node for the longest ending of (text of at)+b that may
// become one of the texts to find.
func (m *matcher) step(at int32, b byte) int32 {
	for at != 0 {
		if c := m.childOf(at, b); c != 0 {
			return c
		}
		at = m.nodes[at].fail
	}
	return m.root[b]
}

func (m *matcher) childOf(at int32, b byte) int32 {
	if at == 0 {
		return m.root[b]
	}
	for c := m.nodes[at].child; c != 0; c = m.nodes[c].sibling {
		if m.nodes[c].b == b {
			return c
		}
	}
	return 0
}

// redactWriter holds back only bytes that may still be the beginning of a
// secret. Every byte that belongs to any secret is hidden, so where secrets
// overlap nothing of either is left over; each run of hidden bytes is shown as one
// Redacted.
type redactWriter struct {
	matcher *matcher
	next    io.Writer

	at     int32      // where in the matcher's tree we are
	held   []heldByte // not passed on yet
	hiding bool       // the last byte passed on was hidden
	out    []byte     // to be written with the next flush
}

type heldByte struct {
	b    byte
	hide bool
}

func (w *redactWriter) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		if w.at == 0 {
			// Most of the output: nothing that any secret begins with.
			from := i
			for i < len(p) && w.matcher.root[p[i]] == 0 {
				i++
			}
			if i > from {
				w.out = append(w.out, p[from:i]...)
				w.hiding = false
			}
			if i == len(p) {
				break
			}
		}
		w.take(p[i])
	}
	return len(p), w.flush()
}

// Close passes on what is held back.
func (w *redactWriter) Close() error {
	w.passOn(len(w.held))
	w.at = 0
	return w.flush()
}

func (w *redactWriter) take(b byte) {
	w.held = append(w.held, heldByte{b: b})
	w.at = w.matcher.step(w.at, b)
	n := &w.matcher.nodes[w.at]
	for i := len(w.held) - int(n.match); i < len(w.held); i++ {
		w.held[i].hide = true
	}
	w.passOn(len(w.held) - int(n.depth))
}

// passOn decides the fate of the n oldest bytes held.
func (w *redactWriter) passOn(n int) {
	for _, h := range w.held[:n] {
		if !h.hide {
			w.out = append(w.out, h.b)
		} else if !w.hiding {
			w.out = append(w.out, Redacted...)
		}
		w.hiding = h.hide
	}
	if n == len(w.held) {
		w.held = w.held[:0] // the usual case; keeps the buffer
	} else {
		w.held = w.held[n:]
	}
}

func (w *redactWriter) flush() error {
	if len(w.out) == 0 {
		return nil
	}
	_, err := w.next.Write(w.out)
	w.out = w.out[:0]
	return err
}
