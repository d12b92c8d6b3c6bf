package exec

import (
	"os"
	"os/signal"
	"syscall"
)

// unheard receives the signals that the operator was told to ignore. Nobody reads it: os/signal drops signals when the channel is full.
var unheard = make(chan os.Signal, 1)

// stopIgnoring makes the programs that we start begin with the default action for every signal that ends a program. Ignored signals are
// inherited: under nohup no script could be ended by SIGHUP, and in the background of a shell none by SIGINT. A signal with a handler is
// reset by exec. So these signals get a handler, which does nothing: the operator itself goes on ignoring them. For all other signals Go
// always has a handler.
func stopIgnoring() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(unheard, s)
		}
	}
}
