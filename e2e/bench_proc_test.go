package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// What Linux tells about the operator's process: see proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5).

// memory in MiB.
type memory struct {
	resident     float64
	proportional float64 // a page that several processes share counts by its share
	highest      float64 // resident, ever
	tree         float64 // proportional, with the commands that it keeps running
}

// ownMemory is that of the operator alone: scripts come and go.
func (d *daemon) ownMemory(b *testing.B) memory {
	b.Helper()
	pid := strconv.Itoa(d.cmd.Process.Pid)
	return memory{resident: mebibytes(b, pid, "status", "VmRSS"), highest: mebibytes(b, pid, "status", "VmHWM")}
}

func (d *daemon) memory(b *testing.B) memory {
	b.Helper()
	pid := strconv.Itoa(d.cmd.Process.Pid)
	m := d.ownMemory(b)
	m.proportional = mebibytes(b, pid, "smaps_rollup", "Pss")
	m.tree = m.proportional
	for _, child := range descendants(pid) {
		m.tree += mebibytes(b, child, "smaps_rollup", "Pss")
	}
	return m
}

func mebibytes(b *testing.B, pid, file, name string) float64 {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", pid, file))
	found := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB`).FindSubmatch(text)
	if err != nil || found == nil {
		b.Fatalf("cannot read %s from %s of process %s: %v\n%s", name, file, pid, err, text)
	}
	kB, _ := strconv.ParseFloat(string(found[1]), 64)
	return kB / 1024
}

// descendants are the processes that a process has started, and those that they have.
func descendants(pid string) (all []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		fields, err := statFields(file)
		if err != nil || fields[1] != pid {
			continue // it ended meanwhile, or is another's
		}
		child := filepath.Base(filepath.Dir(file))
		all = append(append(all, child), descendants(child)...)
	}
	return all
}

// cpu is the CPU time of the daemon, of every command that it has run to its end, and of those that it keeps running.
func (d *daemon) cpu(b *testing.B) (sum time.Duration) {
	b.Helper()
	own := strconv.Itoa(d.cmd.Process.Pid)
	for _, pid := range append(descendants(own), own) {
		fields, err := statFields("/proc/" + pid + "/stat")
		if err != nil && pid != own {
			continue // it has just ended, and counts as run to its end
		}
		if err != nil {
			b.Fatalf("cannot read the operator's CPU time: %v", err)
		}
		for _, ticks := range fields[11:15] { // utime, stime, cutime, cstime
			n, _ := strconv.Atoi(ticks)
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}

// statFields are the fields from the third on: the second, the program's name, may hold blanks.
func statFields(file string) ([]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])), nil
}
