package runs

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// ErrNoFile is the error for something with the name of a run's file that is not a regular file.
var ErrNoFile = errors.New("it is no file")

// OpenFile opens a file of a run for reading, and returns its size. It opens only regular files and never blocks, because scripts may leave
// anything in the run directory. The error wraps fs.ErrNotExist, or is ErrNoFile.
func OpenFile(path string) (*os.File, int64, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNoFile
	}
	if err != nil {
		f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// readFile is os.ReadFile for a file of a run.
func readFile(path string) ([]byte, error) {
	f, _, err := OpenFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}
