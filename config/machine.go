package config

import (
	"io/fs"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// Machine is the memory and the processors that the operator and its commands share.
type Machine struct {
	Memory int64   // bytes; 0: no limit
	Cores  float64 // 0.5 is half of one
}

// ThisMachine returns the limits of the container, or those of the machine if there is no container.
func ThisMachine() Machine { return readMachine(os.DirFS("/"), runtime.NumCPU()) }

// hierarchy says where a cgroup limit is found: cgroup v2 has one tree for all controllers, v1 one tree per controller.
type hierarchy struct {
	controller string // of v1; "": v2
	mounts     []string
	read       func(file func(name string) string) float64 // the limit of one group; 0: none
}

var (
	memoryLimits = []hierarchy{
		{"", []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, func(file func(string) string) float64 { return bytesOf(file("memory.max")) }},
		{"memory", []string{"sys/fs/cgroup/memory"}, func(file func(string) string) float64 { return bytesOf(file("memory.limit_in_bytes")) }},
	}
	coreLimits = []hierarchy{
		{"", []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"}, func(file func(string) string) float64 {
			quota, period, _ := strings.Cut(file("cpu.max"), " ")
			return coresOf(quota, period)
		}},
		{"cpu", []string{"sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"}, func(file func(string) string) float64 {
			return coresOf(file("cpu.cfs_quota_us"), file("cpu.cfs_period_us"))
		}},
	}
)

// readMachine reads the limits below root. A limit that cannot be read counts as no limit.
func readMachine(root fs.FS, processors int) Machine {
	groups := ownGroups(root)
	m := Machine{Memory: int64(smallest(root, groups, memoryLimits)), Cores: float64(processors)}
	if cores := smallest(root, groups, coreLimits); cores > 0 {
		m.Cores = min(m.Cores, cores)
	}
	return m
}

// ownGroups returns this process' cgroup per controller, from lines such as 4:memory:/kubepods/pod1 or, in v2, 0::/kubepods/pod1.
func ownGroups(root fs.FS) map[string]string {
	groups := map[string]string{}
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		for controller := range strings.SplitSeq(fields[1], ",") {
			groups[controller] = fields[2]
		}
	}
	return groups
}

// smallest returns the smallest limit of this process' group and of its parents, which apply too; 0: none. In a container the path may be
// the host's while only the own group is mounted: then only the last step, which looks at the mount itself, finds a limit.
func smallest(root fs.FS, groups map[string]string, limits []hierarchy) (least float64) {
	for _, h := range limits {
		group, ok := groups[h.controller]
		if !ok {
			continue
		}
		for _, mount := range h.mounts {
			for _, at := range upwards(group) {
				limit := h.read(func(name string) string {
					text, _ := fs.ReadFile(root, path.Join(mount, at, name))
					return strings.TrimSpace(string(text))
				})
				if limit > 0 && (least == 0 || limit < least) {
					least = limit
				}
			}
		}
	}
	return least
}

// upwards returns a group and all its parents.
func upwards(group string) (all []string) {
	at := path.Clean("/" + group)
	for ; at != "/"; at = path.Dir(at) {
		all = append(all, at)
	}
	return append(all, "/")
}

// noLimit is more than any machine has. cgroup v1 writes a huge number for "no limit", v2 the word max.
const noLimit = 1 << 60

func bytesOf(text string) float64 {
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n >= noLimit {
		return 0
	}
	return float64(n)
}

// coresOf converts a CPU quota (microseconds per period) to a number of cores; 0: no limit, which cgroups write as -1 or max.
func coresOf(quota, period string) float64 {
	q, errQ := strconv.ParseFloat(quota, 64)
	p, errP := strconv.ParseFloat(period, 64)
	if errQ != nil || errP != nil || q <= 0 || p <= 0 {
		return 0
	}
	return q / p
}
