package exec

import (
	"hash/maphash"
	"io"
)

// matcher finds many texts at once in a stream of bytes (Aho-Corasick): one
// step per byte, however many secrets there are. The tree's nodes are kept as
// lists, not tables: a secret may be a keystore of 100 KB.
//
// Of a long text, only its beginning is in the tree, which takes 24 bytes for each byte of a text. The rest is known by the hashes of its
// blocks: once the beginning was found, each block that follows is looked up.
type matcher struct {
	pages []*[nodesOfPage]node
	count int32
	root  [256]int32 // the root's children by their byte, 0 for none

	seed   maphash.Seed
	blocks map[uint64]struct{} // of long texts, from their beginning on
	tails  map[uint64]struct{} // the last block of each, which overlaps the one before
}

const (
	nodesOfPage = 4096 // nodes are never copied to make room for more
	// maxNodes and maxBlocks bound a matcher to some 30 MiB, and what it takes to build one to a second.
	maxNodes  = 1 << 19
	maxBlocks = 1 << 19
	// longText is the length in bytes from which on a text is long, and blockSize that of its blocks.
	longText  = 256
	blockSize = 64
)

// node stands for the text on the way from the root to it.
type node struct {
	child, sibling int32 // 0 for none
	fail           int32 // the node of the longest shorter ending of this text
	depth          int32 // length of this text
	match          int32 // length of the longest text to find that this one ends with; 0 for none
	b              byte
	long           bool // it ends with the first block of a long text
}

func newMatcher() *matcher {
	m := &matcher{seed: maphash.MakeSeed(), blocks: map[uint64]struct{}{}, tails: map[uint64]struct{}{}}
	m.newNode(node{})
	return m
}

func (m *matcher) node(i int32) *node { return &m.pages[i/nodesOfPage][i%nodesOfPage] }

func (m *matcher) newNode(n node) int32 {
	if m.count%nodesOfPage == 0 {
		m.pages = append(m.pages, new([nodesOfPage]node))
	}
	m.count++
	*m.node(m.count - 1) = n
	return m.count - 1
}

// full tells that there is no room for another text.
func (m *matcher) full() bool { return m.count > maxNodes || len(m.blocks) > maxBlocks }

// add adds a text to find. To be called before link.
func (m *matcher) add(text string) {
	if len(text) < minSecret || m.full() {
		return
	}
	long := len(text) >= longText
	if long {
		for at := blockSize; at+blockSize <= len(text); at += blockSize {
			m.blocks[maphash.String(m.seed, text[at:at+blockSize])] = struct{}{}
		}
		m.tails[maphash.String(m.seed, text[len(text)-blockSize:])] = struct{}{}
		text = text[:blockSize]
	}
	at := int32(0)
	for i := range len(text) {
		next := m.childOf(at, text[i])
		if next == 0 {
			next = m.newNode(node{b: text[i], sibling: m.node(at).child, depth: int32(i + 1)})
			m.node(at).child = next
			if at == 0 {
				m.root[text[i]] = next
			}
		}
		at = next
	}
	end := m.node(at)
	end.match, end.long = int32(len(text)), end.long || long
}

// link sets where to go on when a text turns out to be another one, level by
// level from the root.
func (m *matcher) link() {
	level := []int32{0}
	for len(level) > 0 {
		var below []int32
		for _, parent := range level {
			for c := m.node(parent).child; c != 0; c = m.node(c).sibling {
				n := m.node(c)
				if parent != 0 {
					n.fail = m.step(m.node(parent).fail, n.b)
				}
				fail := m.node(n.fail)
				n.match, n.long = max(n.match, fail.match), n.long || fail.long
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
		at = m.node(at).fail
	}
	return m.root[b]
}

func (m *matcher) childOf(at int32, b byte) int32 {
	if at == 0 {
		return m.root[b]
	}
	for c := m.node(at).child; c != 0; c = m.node(c).sibling {
		if m.node(c).b == b {
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

	follow follower
}

type heldByte struct {
	b    byte
	hide bool
}

func (w *redactWriter) Write(p []byte) (int, error) {
	for i := 0; i < len(p); i++ {
		if w.at == 0 && w.follow.count == 0 {
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
	w.at, w.follow = 0, follower{}
	return w.flush()
}

func (w *redactWriter) take(b byte) {
	w.held = append(w.held, heldByte{b: b})
	w.at = w.matcher.step(w.at, b)
	n := w.matcher.node(w.at)
	w.hide(int(n.match))
	w.hide(w.follow.next(w.matcher, w.held, n.long))
	keep := int(n.depth)
	if w.follow.count > 0 {
		keep = max(keep, blockSize)
	}
	w.passOn(max(0, len(w.held)-keep))
}

// hide hides the last n bytes.
func (w *redactWriter) hide(n int) {
	for i := len(w.held) - n; i < len(w.held); i++ {
		w.held[i].hide = true
	}
}

// follower follows long texts of which the beginning was found. There may be several at a time, one in another, but those that are a whole
// number of blocks apart are one: they look at the same blocks.
type follower struct {
	at    int             // position, modulo blockSize
	ends  [blockSize]bool // a block may end here
	count int             // of those
}

// next takes the last byte of held, and returns how many of the last bytes are of a long text. begun: its beginning ends here.
func (f *follower) next(m *matcher, held []heldByte, begun bool) (hide int) {
	if f.count == 0 && !begun {
		return 0
	}
	f.at = (f.at + 1) % blockSize
	if f.count > 0 {
		var block [blockSize]byte
		for i, h := range held[len(held)-blockSize:] {
			block[i] = h.b
		}
		sum := maphash.Bytes(m.seed, block[:])
		_, known := m.blocks[sum]
		_, tail := m.tails[sum]
		if f.ends[f.at] && !known {
			f.ends[f.at], f.count = false, f.count-1
		}
		if f.ends[f.at] || tail {
			hide = blockSize
		}
	}
	if begun && !f.ends[f.at] {
		f.ends[f.at], f.count = true, f.count+1
	}
	return hide
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
