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

// cage is a control group with limits, as a container is one. Where none can be made, the operator is told of the limit by a
// setting, and what it and its commands take is looked at again and again.
type cage struct {
	testing.TB
	limit  int64    // bytes
	groups []string // directories; none: there is no control group
}

// newCage makes one below the group of this process. It goes with the test.
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

// groupOf is the directory of this process' own group of a controller; "": of version 2.
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
		for range 50 { // what was in it is gone a moment after its end
			if os.Remove(dir) == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}

// wrap is what a program is started with to be in the cage.
func (c *cage) wrap() []string {
	script := `for group in "$@"; do [ "$group" != -- ] || break; echo $$ >"$group/cgroup.procs"; shift; done; shift; exec "$@"`
	return append(append([]string{"sh", "-c", script, "sh"}, c.groups...), "--")
}

// settings are those that tell the operator what it cannot see.
func (c *cage) settings() []string {
	if len(c.groups) > 0 {
		return nil
	}
	return []string{fmt.Sprintf("OPERATOR__MEMORYLIMIT=%d", c.limit)}
}

// read is the first number of a file that one of the groups has.
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

// check is an error when something was killed, or would have been: highest is what was seen of the processes' memory in MiB.
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
