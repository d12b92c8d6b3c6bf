package exec

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// allPIDs returns the process ids that there are.
func allPIDs() ([]int, error) {
	proc, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer proc.Close()
	names, err := proc.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// stat is what we need of /proc/PID/stat, see proc_pid_stat(5).
type stat struct {
	state byte // field 3
	group int  // field 5
}

// dead reports whether it has ended and only waits to be waited for.
func (s stat) dead() bool { return s.state == 'Z' || s.state == 'X' }

func readStat(pid int) (stat, error) {
	name := "/proc/" + strconv.Itoa(pid) + "/stat"
	data, err := os.ReadFile(name)
	if err != nil {
		return stat{}, err
	}
	// Field 2 is the program's name, which may hold blanks and parentheses.
	_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	fields := strings.Fields(rest)
	if len(fields) < 3 {
		return stat{}, fmt.Errorf("cannot parse %s: %d fields", name, len(fields)+2)
	}
	group, err := strconv.Atoi(fields[2])
	if err != nil {
		return stat{}, fmt.Errorf("cannot parse %s: %w", name, err)
	}
	return stat{state: fields[0][0], group: group}, nil
}
