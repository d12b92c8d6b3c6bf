package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Capacity is how much the operator does at a time, so that it and its commands stay within the memory that they have: a container
// that goes beyond is killed, with everything in it.
type Capacity struct {
	Memory int64 // the limit in bytes; 0: none
	Slots  int   // events that work at the same time
	// Most is how many events there may ever be at work, those whose helm hangs or waits for a hook among them; 0: any number. What an
	// earlier life has left of releases is cleared besides, by as many helms as there are slots.
	Most int
	// GOGC and GOMemLimit are for helm and kubectl. GOMemLimit is in bytes; 0: none.
	GOGC       int
	GOMemLimit int64
	// ScriptMemory is what each process of a script may allocate, in bytes; 0: no limit. See OPERATOR__SCRIPTMEMORY.
	ScriptMemory int64
	// Warning is about more events at a time than the memory bears, because the settings say so; "": it bears them.
	Warning string
}

// Measured with helm 4.3 and 3.22 (resident, of which 45 MiB are the program, which all of them share).
const (
	mebi = 1 << 20
	// resident is the operator with its kubectl proxy, one kubectl, and the programs of all three.
	resident = 96 * mebi
	// A helm that installs takes 60 MiB. Where the API server could not tell and helm has to read its schema it takes 100 MiB with
	// GOGC=400 and 72 MiB with GOGC=100, for which it needs a quarter more of the processor.
	quickHelm, quickGOGC   = 104 * mebi, 400
	frugalHelm, frugalGOGC = 72 * mebi, 100
	// leastHelm is what a helm works with at all.
	leastHelm = 48 * mebi
	mostSlots = 8
	// usualHelm is what a helm takes that installs an ordinary chart, largeHelm what one takes for the largest charts that people make.
	// boundlessHelm is for where memory has no limit: no chart comes near it, and one that would fill the machine is stopped.
	usualHelm     = 60 * mebi
	largeHelm     = 256 * mebi
	boundlessHelm = 1024 * mebi
)

// Capacity fits the settings to a machine. OPERATOR__CONCURRENCY counts where it is set; otherwise there are two slots for a core,
// at least two, at most eight, and not more than the memory bears.
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
	l.Most = bears(m.Memory, quickHelm)
	if l.Most < l.Slots {
		l.GOGC, l.Most = frugalGOGC, bears(m.Memory, frugalHelm)
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

// scriptMemory lets one helm have all that the others, while they take what is usual, do not need: a chart that asks for more is the one
// that fails, not the container with everything in it. A share for each would keep large charts out of containers that bear them.
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

// bears is how many helms there is memory for, at least one.
func bears(memory, helm int64) int { return int(max(1, (memory-resident)/helm)) }

// FormatMemory writes bytes for people.
func FormatMemory(n int64) string {
	if n == 0 {
		return "none"
	}
	return strconv.FormatInt(n/mebi, 10) + " MiB"
}

// Bytes is an amount of memory in the environment, as Kubernetes writes it: 134217728, 512Mi, 1Gi, 500M.
type Bytes int64

// UnmarshalText reads a whole number and a unit.
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
