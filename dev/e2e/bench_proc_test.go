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

// What Linux reports about the operator's process: see proc_pid_stat(5), proc_pid_status(5), proc_pid_smaps(5).

// memory in MiB.
type memory struct {
	resident     float64
	proportional float64 // a page that several processes share is divided among them
	highest      float64 // the highest resident memory so far
	tree         float64 // proportional, with the commands that run all the time
}

// ownMemory is the memory of the operator without its scripts, which come and go.
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
	m.tree = treeMemory(pid)
	return m
}

// treeMemory is the proportional memory of a process and all its descendants, in MiB. Processes that end meanwhile are not counted.
func treeMemory(pid string) (sum float64) {
	for _, pid := range append(descendants(pid), pid) {
		m, _ := readMebibytes(pid, "smaps_rollup", "Pss")
		sum += m
	}
	return sum
}

// watchMemory measures a process's treeMemory repeatedly until stop is called, which returns the highest value.
func watchMemory(pid int) (stop func() float64) {
	quit, result := make(chan struct{}), make(chan float64)
	go func() {
		highest := 0.0
		for {
			highest = max(highest, treeMemory(strconv.Itoa(pid)))
			select {
			case <-quit:
				result <- highest
				return
			case <-time.After(250 * time.Millisecond):
			}
		}
	}()
	return func() float64 { close(quit); return <-result }
}

func mebibytes(b *testing.B, pid, file, name string) float64 {
	b.Helper()
	m, err := readMebibytes(pid, file, name)
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func readMebibytes(pid, file, name string) (float64, error) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, file))
	found := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB`).FindSubmatch(text)
	if err != nil || found == nil {
		return 0, fmt.Errorf("cannot read %s from %s of process %s: %w\n%s", name, file, pid, err, text)
	}
	kB, err := strconv.ParseFloat(string(found[1]), 64)
	return kB / 1024, err
}

// descendants are the processes that a process has started, and their descendants.
func descendants(pid string) (all []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	children := map[string][]string{}
	for _, file := range files {
		if fields, err := statFields(file); err == nil { // otherwise it has ended meanwhile
			children[fields[1]] = append(children[fields[1]], filepath.Base(filepath.Dir(file)))
		}
	}
	all = children[pid]
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// cpu is the CPU time of the daemon, of every command that has ended, and of the commands that run all the time.
func (d *daemon) cpu(b *testing.B) (sum time.Duration) {
	b.Helper()
	own := strconv.Itoa(d.cmd.Process.Pid)
	for _, pid := range append(descendants(own), own) {
		fields, err := statFields("/proc/" + pid + "/stat")
		if err != nil && pid != own {
			continue // it has just ended, and is counted with those that have
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
