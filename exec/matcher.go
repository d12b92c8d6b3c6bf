package exec

import (
	"hash/maphash"
	"io"
)

// matcher finds many texts at once in a stream of bytes (Aho-Corasick): one step per byte, however many secrets there are. The children
// of a node are a list and not a table, because a secret may be a keystore of 100 KB.
//
// Each byte of a text in the tree takes 24 bytes. So of a long text only the first block is in the tree. The following blocks are
// recognized by their hashes, once the first block was found.
type matcher struct {
	pages []*[nodesOfPage]node
	count int32
	root  [256]int32 // the root's children by their byte; 0: none

	seed   maphash.Seed
	blocks map[uint64]struct{} // of long texts, from their beginning on
	tails  map[uint64]struct{} // the last block of each long text; it may overlap the block before
}

const (
	nodesOfPage = 4096 // nodes are allocated in pages, so that they are never copied
	// maxNodes and maxBlocks limit a matcher to some 30 MiB, and the time to build it to a second.
	maxNodes  = 1 << 19
	maxBlocks = 1 << 19
	// longText is the length in bytes from which a text is long, and blockSize that of its blocks.
	longText  = 256
	blockSize = 64
)

// node stands for the text on the path from the root to it.
type node struct {
	child, sibling int32 // 0: none
	fail           int32 // the node of the longest proper suffix of this text
	depth          int32 // length of this text
	match          int32 // length of the longest secret that is a suffix of this text; 0: none
	b              byte
	long           bool // this text ends with the first block of a long secret
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

// add adds a text to find. It must be called before link.
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

// link sets the fail nodes, level by level from the root.
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

// step returns the node for the longest suffix of (text of at)+b that is the beginning of a text to find.
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

// redactWriter holds back only bytes that may be the beginning of a secret. Every byte that belongs to any secret is hidden, so that
// nothing remains of secrets that overlap. Each run of hidden bytes is shown as one Redacted.
type redactWriter struct {
	matcher *matcher
	next    io.Writer
	masks   bool // each hidden byte is shown as a mask

	at     int32      // the current node in the matcher's tree
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
			// The fast path for most of the output: bytes that no secret begins with.
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

// follower recognizes the blocks of long texts after their first block. Several may be in progress at a time, one inside another; those
// that began a multiple of blockSize apart count as one, because they look at the same blocks.
type follower struct {
	at    int             // position in the stream, modulo blockSize
	ends  [blockSize]bool // a block may end here
	count int             // of those
}

// next handles the last byte of held. It returns how many of the last bytes belong to a long text. begun: the first block of a long text
// ends with this byte.
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

// passOn writes the n oldest bytes that are held, or hides them.
func (w *redactWriter) passOn(n int) {
	for _, h := range w.held[:n] {
		switch {
		case !h.hide:
			w.out = append(w.out, h.b)
		case w.masks:
			w.out = append(w.out, mask)
		case !w.hiding:
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
