package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
)

// oidcCommand serves the OpenID Connect provider of github.com/zitadel/oidc, with its example storage. That module's own
// program listens on every interface; this one on loopback alone.
func oidcCommand(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("oidc", flag.ContinueOnError)
	port := flags.Int("port", 0, "`port` on loopback")
	users := flags.String("users", "", "`file` with the users")
	if err := flags.Parse(args); err != nil {
		return fmt.Errorf("cannot read the flags of oidc: %w", err)
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("localhost:%d", *port))
	if err != nil {
		return fmt.Errorf("cannot serve OpenID Connect: %w", err)
	}
	store, err := storage.StoreFromFile(*users)
	if err != nil {
		return fmt.Errorf("cannot read the users of the OpenID Connect server: %w", err)
	}
	issuer := fmt.Sprintf("http://localhost:%d/", listener.Addr().(*net.TCPAddr).Port)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	server := &http.Server{Handler: exampleop.SetupServer(issuer, storage.NewStorage(store), log, false), ReadHeaderTimeout: 10 * time.Second}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	fmt.Println(issuer)
	if err := server.Serve(listener); ctx.Err() == nil {
		return fmt.Errorf("cannot serve OpenID Connect: %w", err)
	}
	return nil
}
