package main

import (
	"bufio"
	"os"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// gcPercent replaces Go's default of 100, so that the garbage collector runs more often: compared with helm, the operator's processor
// time does not matter, but its memory does.
const gcPercent = 50

// memoryLimit is in bytes, and a soft limit: above it the garbage collector runs at once. The largest event that package bounds allows
// needs some 70 MiB for a moment.
const memoryLimit = 80 << 20

// limitMemory configures the garbage collector, unless the environment does (GOGC, GOMEMLIMIT).
func limitMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// giveBackStartPages lets the kernel drop the pages of program code that only the start has needed: for each page that a package's init
// touches, it maps the 64 KiB around. They are read again from the file's cache when they are used. Without this an idle operator has
// some 6 MiB more. Code is never written to, so nothing is lost. Pages of constants are not dropped: in a position-independent program
// they may have been written to.
func giveBackStartPages() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		// 00400000-00d31000 r-xp 00000000 fe:01 1234   /octo-operator
		fields := strings.Fields(lines.Text())
		if len(fields) < 6 || fields[1] != "r-xp" || fields[5] != program {
			continue
		}
		from, to, _ := strings.Cut(fields[0], "-")
		begin, err1 := strconv.ParseUint(from, 16, 64)
		end, err2 := strconv.ParseUint(to, 16, 64)
		if err1 == nil && err2 == nil {
			_, _, _ = unix.Syscall(unix.SYS_MADVISE, uintptr(begin), uintptr(end-begin), unix.MADV_DONTNEED)
		}
	}
}
