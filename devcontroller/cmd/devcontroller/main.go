// Command devcontroller serves a simulated Communication Controller on loopback, to play with
// an operator by hand. Commands come from stdin ("help" lists them) or over HTTP:
//
//	POST /send/{callback}   JSON array of arguments
//	GET  /calls             what the operator invoked, one JSON object a line
//	GET  /connections       the connections and what they registered
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"octo-operator/devcontroller"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "devcontroller:", err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:5010", "loopback `address` of the hub and of the commands")
	name := flag.String("generation", "G4", "contract `generation`: G1, G3 or G4")
	token := flag.String("token", "", "bearer `token` that the operator must send")
	var pools poolFlag
	flag.Var(&pools, "pool", "deployed Cloud pool as `tenant/id`, again for more")
	flag.Parse()
	generation, err := devcontroller.ParseGeneration(*name)
	if err != nil {
		return err
	}
	controller := devcontroller.New(devcontroller.Options{
		Generation: generation, Token: *token, Pools: pools, Logf: log.Printf,
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	failed := make(chan error, 1)
	server, err := serve(*listen, controller, failed)
	if err != nil {
		return err
	}
	log.Printf("%s controller on http://%s/operatorHub, type help for commands", generation, *listen)
	go readCommands(ctx, os.Stdin, os.Stdout, controller, stop)
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	return errors.Join(err, server.Close(), controller.Close())
}
