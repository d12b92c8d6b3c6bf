package exec

import (
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// stream is one of the program's two outputs: a pipe, then the redactor,
// then the line splitter. What is not read stays in the pipe (64 KiB), and
// the program waits: that is the back-pressure, and why memory is bounded.
type stream struct {
	name   string
	ours   *os.File // read end
	theirs *os.File // write end
	done   chan struct{}
}

func newStream(name string) (*stream, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	return &stream{name: name, ours: r, theirs: w, done: make(chan struct{})}, nil
}

// closeOurWriteEnd is to be called once the program has its own copy: as
// long as we hold the write end, there is no end of file.
func (s *stream) closeOurWriteEnd() { s.theirs.Close() }

func (s *stream) close() {
	s.ours.Close()
	s.theirs.Close()
}

// read hands on lines in the background until end of file or finish.
func (s *stream) read(redact *Redactor, emit func(Line)) {
	lines := &lineWriter{stream: s.name, limit: maxLine, emit: emit}
	redacted := redact.writer(lines)
	go func() {
		defer close(s.done)
		defer s.ours.Close()
		defer lines.Close()
		defer redacted.Close()
		// The writers never fail and the pipe fails only by finish's deadline.
		buf := make([]byte, 32<<10)
		if _, err := io.CopyBuffer(redacted, onlyReader{s.ours}, buf); err != nil {
			s.readRest(redacted)
		}
	}()
}

// finish ends the reading even when something outside the group (a daemon
// that called setsid) holds the pipe open. To be called when the group is
// dead: all that it has written is then in the pipe and gets read.
func (s *stream) finish() {
	s.ours.SetReadDeadline(time.Now())
}

// readRest reads what is in the pipe at this moment. It does not block.
func (s *stream) readRest(w io.Writer) {
	conn, err := s.ours.SyscallConn()
	if err != nil {
		return
	}
	var waiting int
	err = conn.Control(func(fd uintptr) {
		waiting, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ)
	})
	if err != nil || waiting == 0 {
		return
	}
	s.ours.SetReadDeadline(time.Time{})
	io.CopyN(w, onlyReader{s.ours}, int64(waiting))
}

// onlyReader hides *os.File's own copy loop (splice), which is of no use here.
type onlyReader struct{ io.Reader }
