package exec

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Limits are what each process of a command may take, whatever it runs: the kernel keeps them for the whole tree, and nothing in it
// can raise them (but a root). 0 is no limit.
type Limits struct {
	// Memory is in bytes: what a program may allocate. Its own code, and files that it maps, do not count. What goes beyond fails with
	// "out of memory". A kernel that does not know the limit (gVisor) keeps nothing.
	Memory int64
	// FileSize is in bytes: how large a file a program may make. What goes beyond fails with "file too large", or SIGXFSZ.
	FileSize int64
}

// goBookkeeping is what a Go program maps for its heap's tables before it does anything, and mostly never touches: helm and kubectl need
// 64 MiB more of RLIMIT_DATA than they take (Go 1.26). Without it a limit of 64 MiB would keep helm from starting.
const goBookkeeping = 64 << 20

// within is what to run in place of a program so that it has its limits from its first instruction on. Go cannot set them between
// fork and exec, and set from outside they would come too late for what a script has started by then. So a shell, which every script
// needs anyway, sets its own and becomes the program: 0.7 ms, and no process more. Each ulimit takes one option (dash), -d counts KiB, -f 512 bytes.
func (l Limits) within(path string, args []string) (shell string, all []string) {
	script := ""
	if l.Memory > 0 {
		script += "ulimit -d " + strconv.FormatInt(noHigher(unix.RLIMIT_DATA, l.Memory+goBookkeeping)>>10, 10) + " && "
	}
	if l.FileSize > 0 {
		script += "ulimit -f " + strconv.FormatInt(noHigher(unix.RLIMIT_FSIZE, l.FileSize)>>9, 10) + " && "
	}
	if script == "" {
		return path, args
	}
	return "/bin/sh", append([]string{"-c", script + `exec "$@"`, "sh", path}, args...)
}

// noHigher is a limit, or the one under which we run ourselves if that is lower: to raise it would fail.
func noHigher(resource int, limit int64) int64 {
	var own unix.Rlimit
	if unix.Getrlimit(resource, &own) == nil && own.Max < uint64(limit) {
		return int64(own.Max)
	}
	return limit
}

// checkProgram finds out what the kernel would say to an exec: of a program that a shell starts, the shell says it, in words of its own.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || unix.Access(path, unix.X_OK) != nil {
		return syscall.EACCES
	}
	f, err := os.Open(path)
	if err != nil {
		return nil // it may be executed and not read
	}
	defer f.Close()
	begin := make([]byte, 256)
	n, _ := f.Read(begin)
	line, isScript := bytes.CutPrefix(begin[:n], []byte("#!"))
	if !isScript {
		if !bytes.HasPrefix(begin[:n], []byte("\x7fELF")) {
			return syscall.ENOEXEC
		}
		return nil
	}
	line, _, _ = bytes.Cut(line, []byte("\n"))
	interpreter, _, _ := bytes.Cut(bytes.Trim(line, " \t"), []byte(" "))
	if _, err := os.Stat(string(interpreter)); err != nil {
		return syscall.ENOENT
	}
	return nil
}
