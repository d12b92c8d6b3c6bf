package exec

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// Limits are what each process of a command may use. The kernel enforces them for the whole process tree, and no process in it except for
// root can raise them. 0 is no limit.
type Limits struct {
	// Memory is in bytes: what a program may allocate, without its code and files that it maps. An allocation beyond it fails with "out
	// of memory". A kernel without this limit (gVisor) ignores it.
	Memory int64
	// FileSize is in bytes: how large a file a program may write. Writing beyond it fails with "file too large", or SIGXFSZ.
	FileSize int64
}

// goBookkeeping is how many bytes a Go program maps at its start for the tables of its heap, most of which it never uses. RLIMIT_DATA counts them, so
// helm and kubectl (Go 1.26) need a limit 64 MiB above what they use; with a limit of 64 MiB helm would not even start.
const goBookkeeping = 64 << 20

// within returns the command that runs a program with its limits from the first instruction on. Go cannot set limits between fork and
// exec, and limits set from outside afterwards would miss processes that a script has started by then. So a shell sets its own limits and
// becomes the program, which takes 0.7 ms and no further process. Each ulimit has one option (dash); -d counts KiB, -f counts 512 bytes.
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

// noHigher returns limit, or this process' own hard limit if that is lower: raising it would fail.
func noHigher(resource int, limit int64) int64 {
	var own unix.Rlimit
	if unix.Getrlimit(resource, &own) == nil && own.Max < uint64(limit) {
		return int64(own.Max)
	}
	return limit
}

// checkProgram returns the error that exec would return for a program. The shell that sets limits would report it in words of its own.
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
		return nil // it may be executable without being readable
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
