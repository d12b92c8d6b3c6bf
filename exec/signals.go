package exec

import (
	"os"
	"os/signal"
	"syscall"
)

// unheard is where the signals go that the operator was told to ignore. Nobody
// reads it: os/signal drops what does not fit.
var unheard = make(chan os.Signal, 1)

// stopIgnoring makes the programs that we start begin with the default action
// for every signal that ends a program. What is ignored is inherited: under
// nohup no script could be hung up, and in the background of a shell none
// could be interrupted. What has a handler is reset by an exec; so those
// signals get one, which does nothing, and the operator itself heeds them as
// little as before. Go always has a handler for all of them but these two.
func stopIgnoring() {
	for _, s := range []os.Signal{syscall.SIGHUP, syscall.SIGINT} {
		if signal.Ignored(s) {
			signal.Notify(unheard, s)
		}
	}
}
