// Stubtool is the helm and the kubectl of the tests of package handlers. It decides nothing: it tells the test process how
// it was called, over the socket tools.sock beside itself, and does what that says.
//
// Both sides send JSON values. It begins with {"tool", "args", "dir", "env"}, then tells of each SIGTERM or SIGINT with
// {"signal"}. The answers are any number of {"stdout"}, {"stderr"}, {"stdin": true} (send yours, in base64) and at last
// {"exit"} or {"kill": true} (die of SIGKILL); or {"serve": SOCKET}, which lets it do what kubectl proxy does.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
)

type answer struct {
	Stdout, Stderr string
	Stdin, Kill    bool
	Serve          string
	Exit           *int
}

func main() {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	conn, err := dial(map[string]any{"tool": filepath.Base(os.Args[0]), "args": os.Args[1:], "dir": workDir(), "env": os.Environ()})
	if err != nil {
		fmt.Fprintln(os.Stderr, "stubtool: no test process:", err)
		os.Exit(99)
	}
	var sending sync.Mutex
	send := func(value any) {
		sending.Lock()
		defer sending.Unlock()
		_ = json.NewEncoder(conn).Encode(value)
	}
	go func() {
		for s := range signals {
			send(map[string]string{"signal": s.String()})
		}
	}()
	for answers := json.NewDecoder(conn); ; {
		var a answer
		if err := answers.Decode(&a); err != nil {
			os.Exit(98) // the test process is gone
		}
		_, _ = os.Stdout.WriteString(a.Stdout)
		_, _ = os.Stderr.WriteString(a.Stderr)
		switch {
		case a.Stdin:
			text, _ := io.ReadAll(os.Stdin)
			send(map[string][]byte{"stdin": text})
		case a.Kill:
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case a.Exit != nil:
			os.Exit(*a.Exit)
		case a.Serve != "":
			signal.Reset(syscall.SIGTERM, syscall.SIGINT)
			go serve(a.Serve)
		}
	}
}

// dial connects to the test process and says what this connection is for.
func dial(hello any) (net.Conn, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	conn, err := net.Dial("unix", filepath.Join(filepath.Dir(self), "tools.sock"))
	if err != nil {
		return nil, err
	}
	return conn, json.NewEncoder(conn).Encode(hello)
}

func workDir() string {
	dir, _ := os.Getwd()
	return dir
}

// serve takes connections on a socket and hands them on to the API server that the test process plays.
func serve(socket string) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
	fmt.Println("Starting to serve on", socket)
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := dial(map[string]any{"tunnel": true, "env": os.Environ()})
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				_, _ = io.Copy(server, client)
				_ = server.(*net.UnixConn).CloseWrite()
			}()
			_, _ = io.Copy(client, server)
		}()
	}
}
