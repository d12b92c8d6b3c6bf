package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Capacity is how much work the operator does at the same time. It keeps the operator and its commands within their memory: a container
// that exceeds its limit is killed as a whole.
type Capacity struct {
	Memory int64 // the memory limit in bytes; 0: no limit
	Slots  int   // events that are worked on at the same time
	// Most is the upper bound for events whose commands run, including those that lost their slot because helm hangs or waits for a hook;
	// 0: no bound. Releases that a killed operator left pending are recovered outside this bound, by at most Slots helms.
	Most int
	// GOGC and GOMemLimit go into the environment of helm and kubectl. GOMemLimit is in bytes; 0: no limit.
	GOGC       int
	GOMemLimit int64
	// ScriptMemory is how much each process of a script may allocate, in bytes; 0: no limit. See OPERATOR__SCRIPTMEMORY.
	ScriptMemory int64
	// Warning says that OPERATOR__CONCURRENCY asks for more events at a time than the memory allows; "": it does not.
	Warning string
}

// Memory of the processes, measured with helm 4.3 and 3.22: resident memory, of which 45 MiB are helm's program text, which all helms
// share.
const (
	mebi = 1 << 20
	// resident is the operator, its kubectl proxy and one kubectl, with the program text of all three.
	resident = 96 * mebi
	// A helm that installs takes 60 MiB. If the API server could not validate the objects, helm downloads the schema and takes 100 MiB
	// with GOGC=400, or 72 MiB with GOGC=100, which costs a quarter more processor time.
	quickHelm, quickGOGC   = 104 * mebi, 400
	frugalHelm, frugalGOGC = 72 * mebi, 100
	// leastHelm is the least memory with which helm runs at all.
	leastHelm = 48 * mebi
	mostSlots = 8
	// usualHelm is the memory of a helm that installs an ordinary chart, largeHelm that for the largest charts that people write. boundlessHelm is
	// the limit if the container has none: no real chart comes near it, but it stops a chart that would fill the machine.
	usualHelm     = 60 * mebi
	largeHelm     = 256 * mebi
	boundlessHelm = 1024 * mebi
)

// Capacity computes how much work machine m can do. OPERATOR__CONCURRENCY counts if it is set. Otherwise there are two slots per core, at
// least two and at most eight, and no more than the memory allows.
func (c *Config) Capacity(m Machine) Capacity {
	if c.MemoryLimit > 0 {
		m.Memory = int64(c.MemoryLimit)
	}
	l := Capacity{Memory: m.Memory, Slots: c.Concurrency, GOGC: quickGOGC}
	if l.Slots == 0 {
		l.Slots = min(max(2, int(math.Ceil(2*m.Cores))), mostSlots)
	}
	if m.Memory == 0 {
		l.ScriptMemory = c.scriptMemory(l)
		return l
	}
	l.Most = helmsThatFit(m.Memory, quickHelm)
	if l.Most < l.Slots {
		l.GOGC, l.Most = frugalGOGC, helmsThatFit(m.Memory, frugalHelm)
	}
	if c.Concurrency == 0 {
		l.Slots = min(l.Slots, l.Most)
	} else if l.Most < l.Slots {
		l.Warning = fmt.Sprintf("OPERATOR__CONCURRENCY is %d, and a memory limit of %s bears %d at a time: helm may be killed, or the container: raise the limit, or leave the setting out",
			l.Slots, FormatMemory(m.Memory), l.Most)
		l.Most = l.Slots
	}
	l.GOMemLimit = max(leastHelm, (m.Memory-resident)/int64(l.Most))
	l.ScriptMemory = c.scriptMemory(l)
	return l
}

// scriptMemory gives one helm all the memory that the other slots, with ordinary charts, leave free. A chart that needs more fails, and
// the container survives. An equal share for each slot would refuse large charts that fit into the container.
func (c *Config) scriptMemory(l Capacity) int64 {
	switch {
	case c.ScriptMemory != nil:
		return int64(*c.ScriptMemory)
	case l.Memory == 0:
		return boundlessHelm
	}
	left := l.Memory - resident
	return max(left-int64(l.Slots-1)*usualHelm, min(left, largeHelm), quickHelm)
}

// helmsThatFit returns how many helms fit into the memory, at least one.
func helmsThatFit(memory, helm int64) int { return int(max(1, (memory-resident)/helm)) }

// FormatMemory formats n bytes for people, such as "512 MiB"; 0 is "none".
func FormatMemory(n int64) string {
	if n == 0 {
		return "none"
	}
	return strconv.FormatInt(n/mebi, 10) + " MiB"
}

// Bytes is an amount of memory, written as in Kubernetes: 134217728, 512Mi, 1Gi, 500M.
type Bytes int64

// UnmarshalText reads a whole number with an optional unit. On an error, which quotes the text, b is unchanged.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, factor := string(text), int64(1)
	for unit, n := range map[string]int64{"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 1e3, "M": 1e6, "G": 1e9} {
		if before, ok := strings.CutSuffix(number, unit); ok {
			number, factor = before, n
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return errors.New(strconv.Quote(string(text)) + " is no amount of memory, such as 512Mi")
	}
	*b = Bytes(n * factor)
	return nil
}
