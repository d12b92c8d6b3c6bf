package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cage is a control group with limits, as a container has one. If none can be created, a setting tells the operator the limit, and the
// memory of its processes is measured repeatedly instead.
type cage struct {
	testing.TB
	limit  int64    // bytes
	groups []string // its directories; empty: there is no control group
}

// newCage creates a cage below the group of this process. It is removed at the end of the test.
func newCage(t testing.TB, limit int64, cores float64) *cage {
	c := &cage{TB: t, limit: limit}
	t.Cleanup(c.remove)
	name := "octo-e2e-" + uniqueName()
	quota := strconv.Itoa(int(cores * 100_000))
	made := c.add(groupOf("memory"), name, "memory.limit_in_bytes", fmt.Sprint(limit)) && c.add(groupOf("cpu"), name, "cpu.cfs_quota_us", quota) ||
		c.add(groupOf(""), name, "memory.max", fmt.Sprint(limit)) && os.WriteFile(filepath.Join(groupOf(""), name, "cpu.max"), []byte(quota+" 100000"), 0) == nil
	if !made {
		c.remove()
		c.groups = nil
	}
	return c
}

// groupOf is the directory of this process's group of a controller; "": that of version 2.
func groupOf(controller string) string {
	text, _ := os.ReadFile("/proc/self/cgroup")
	found := regexp.MustCompile(`(?m)^\d+:(?:[a-z,]*,)?` + controller + `(?:,[a-z,]*)?:(.*)$`).FindSubmatch(text)
	if found == nil {
		return "/nowhere"
	}
	return filepath.Join("/sys/fs/cgroup", controller, string(found[1]))
}

func (c *cage) add(parent, name, file, limit string) bool {
	dir := filepath.Join(parent, name)
	if os.Mkdir(dir, 0o755) != nil {
		return false
	}
	c.groups = append(c.groups, dir)
	return os.WriteFile(filepath.Join(dir, file), []byte(limit), 0) == nil
}

func (c *cage) remove() {
	for _, dir := range c.groups {
		for range 50 { // its processes are gone a moment after their end
			if os.Remove(dir) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// wrap is the command that starts a program in the cage.
func (c *cage) wrap() []string {
	script := `for group in "$@"; do [ "$group" != -- ] || break; echo $$ >"$group/cgroup.procs"; shift; done; shift; exec "$@"`
	return append(append([]string{"sh", "-c", script, "sh"}, c.groups...), "--")
}

// settings are those that tell the operator a limit that it cannot see.
func (c *cage) settings() []string {
	if len(c.groups) > 0 {
		return nil
	}
	return []string{fmt.Sprintf("OPERATOR__MEMORYLIMIT=%d", c.limit)}
}

// read returns the first number in one of the files, in whichever group has it.
func (c *cage) read(pattern string, files ...string) (int64, bool) {
	for _, dir := range c.groups {
		for _, file := range files {
			text, _ := os.ReadFile(filepath.Join(dir, file))
			if found := regexp.MustCompile(pattern).FindSubmatch(text); found != nil {
				n, err := strconv.ParseInt(strings.TrimSpace(string(found[1])), 10, 64)
				return n, err == nil
			}
		}
	}
	return 0, false
}

// check returns an error if a process was killed for its memory, or would have been: highest is the highest memory of all processes, in
// MiB.
func (c *cage) check(highest float64) error {
	if len(c.groups) == 0 {
		if limit := float64(c.limit >> 20); highest > limit {
			return fmt.Errorf("the operator and its commands took %.0f MiB, the limit is %.0f", highest, limit)
		}
		return nil
	}
	killed, ok := c.read(`(?m)^oom_kill (\d+)`, "memory.oom_control", "memory.events")
	if !ok || killed > 0 {
		return fmt.Errorf("%d processes were killed for want of memory (known: %v)", killed, ok)
	}
	return nil
}

func (c *cage) String() string {
	if len(c.groups) == 0 {
		return "looked at, no control group could be made"
	}
	peak, _ := c.read(`(\d+)`, "memory.max_usage_in_bytes", "memory.peak")
	return fmt.Sprintf("in a control group, which counts files too: %d MiB at the peak", peak>>20)
}
