package handlers_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"octo-operator/handlers"
)

// toolServer plays helm and kubectl. The programs of that name on the PATH are testdata/stubtool: they ask it what to do. It
// knows whose they are by their KUBECONFIG, as the real ones know their cluster.
type toolServer struct {
	listener net.Listener

	mu    sync.Mutex
	lives map[string]*life // by KUBECONFIG
}

// tools is the one of this process. TestMain makes it.
var tools *toolServer

// startTools builds the stub into dir under both names, and listens beside it.
func startTools(dir string) (*toolServer, error) {
	helm := filepath.Join(dir, "helm")
	if out, err := osexec.Command("go", "build", "-ldflags=-s -w", "-o", helm, "./testdata/stubtool").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("cannot build the tools: %w\n%s", err, out)
	}
	for _, tool := range []string{"kubectl", "octo-operator"} {
		if err := os.Link(helm, filepath.Join(dir, tool)); err != nil {
			return nil, err
		}
	}
	handlers.OwnProgram(filepath.Join(dir, "octo-operator"))
	listener, err := net.Listen("unix", filepath.Join(dir, "tools.sock"))
	if err != nil {
		return nil, err
	}
	s := &toolServer{listener: listener, lives: map[string]*life{}}
	go s.serve()
	return s, nil
}

func (s *toolServer) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		go s.talk(conn)
	}
}

func (s *toolServer) add(l *life) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lives[l.kubeconfig] = l
}

func (s *toolServer) lifeOf(env []string) *life {
	s.mu.Lock()
	defer s.mu.Unlock()
	if l, guarded := s.lives[variable(env, "OCTO_KUBECONFIG")]; guarded {
		return l
	}
	return s.lives[variable(env, "KUBECONFIG")]
}

func variable(env []string, name string) string {
	for _, v := range env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}

// hello is the first that a stub says.
type hello struct {
	Tool, Dir string
	Args, Env []string
	Tunnel    bool // what follows is HTTP for the API server
}

func (s *toolServer) talk(conn net.Conn) {
	from := bufio.NewReader(conn)
	line, err := from.ReadBytes('\n')
	var h hello
	if err = errors.Join(err, json.Unmarshal(line, &h)); err != nil {
		conn.Close()
		return
	}
	l := s.lifeOf(h.Env)
	if h.Tunnel {
		if l == nil || !l.api.hand(bufferedConn{conn, from}) {
			conn.Close()
		}
		return
	}
	defer conn.Close()
	c := &call{
		tool: h.Tool, args: h.Args, dir: h.Dir, env: h.Env, life: l,
		to: json.NewEncoder(conn), term: make(chan struct{}), gone: make(chan struct{}), input: make(chan []byte, 1),
	}
	c.words, c.flags = split(h.Args)
	go c.listen(json.NewDecoder(from))
	if l == nil {
		c.exit(c.fail("KUBECONFIG=%s is no test's", variable(h.Env, "KUBECONFIG")))
		return
	}
	c.exit(l.run(c))
	<-c.gone // its end is to be seen, not to be believed
}

// bufferedConn is a connection of which something has been read ahead.
type bufferedConn struct {
	net.Conn
	from *bufio.Reader
}

func (c bufferedConn) Read(p []byte) (int, error) { return c.from.Read(p) }

// call is a helm or kubectl that runs.
type call struct {
	tool, dir string
	args, env []string
	words     []string            // args that are no flags: the verb first
	flags     map[string][]string // "namespace" → its values; a flag without one has ""
	life      *life

	term chan struct{} // closed when it has got a SIGTERM
	gone chan struct{} // closed when the process is dead

	mu    sync.Mutex
	to    *json.Encoder
	input chan []byte
}

// killed is the exit code of a tool that dies of SIGKILL.
const killed = -9

// listen takes what the stub says after its hello.
func (c *call) listen(from *json.Decoder) {
	defer close(c.gone)
	terminated := false
	for {
		var said struct {
			Signal string
			Stdin  *[]byte
		}
		if err := from.Decode(&said); err != nil {
			return
		}
		if said.Stdin != nil {
			c.input <- *said.Stdin
		}
		if said.Signal != "" && !terminated {
			terminated = true
			close(c.term)
		}
	}
}

func (c *call) send(answer any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_ = c.to.Encode(answer) // a tool that has been killed hears nothing
}

func (c *call) print(format string, args ...any) {
	c.send(map[string]string{"stdout": fmt.Sprintf(format, args...)})
}

// say writes a line to stderr.
func (c *call) say(format string, args ...any) {
	c.send(map[string]string{"stderr": fmt.Sprintf(format, args...) + "\n"})
}

// fail is how both tools end with an error.
func (c *call) fail(format string, args ...any) int {
	c.say("Error: "+format, args...)
	return 1
}

func (c *call) exit(code int) {
	if code == killed {
		c.send(map[string]bool{"kill": true})
		return
	}
	c.send(map[string]int{"exit": code})
}

// stdin reads all of the tool's standard input.
func (c *call) stdin() []byte {
	c.send(map[string]bool{"stdin": true})
	select {
	case text := <-c.input:
		return text
	case <-c.gone:
		return nil
	}
}

// switches are the flags that take no value but one after "=".
var switches = []string{
	"all", "all-namespaces", "A", "atomic", "client", "dry-run", "force", "force-conflicts", "hide-notes", "i", "ignore-not-found", "install",
	"disable-openapi-validation", "is-upgrade", "include-crds", "no-headers", "no-hooks", "overwrite", "plain-http", "append-server-path", "reset-values", "reuse-values", "rollback-on-failure",
	"server-side", "skip-crds", "cleanup-on-fail", "wait", "watch", "validate", "show-managed-fields", "keep-history", "take-ownership",
}

// longNames of the short flags.
var longNames = map[string]string{"n": "namespace", "f": "filename", "o": "output", "l": "selector", "p": "patch", "d": "destination", "i": "install"}

// split tells words from flags.
func split(args []string) (words []string, flags map[string][]string) {
	flags = map[string][]string{}
	for i := 0; i < len(args); i++ {
		if !strings.HasPrefix(args[i], "-") || args[i] == "-" {
			words = append(words, args[i])
			continue
		}
		name, value, ok := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		if !ok && !slices.Contains(switches, name) && i+1 < len(args) {
			i++
			value = args[i]
		}
		if long := longNames[name]; long != "" {
			name = long
		}
		flags[name] = append(flags[name], value)
	}
	return words, flags
}

// flag is a flag's last value.
func (c *call) flag(name string) string {
	if values := c.flags[name]; len(values) > 0 {
		return values[len(values)-1]
	}
	return ""
}

func (c *call) has(flag string) bool { return c.flags[flag] != nil }

func (c *call) namespace() string {
	if c.has("namespace") {
		return c.flag("namespace")
	}
	return "default"
}

// word is the i-th word, the verb being 0.
func (c *call) word(i int) string {
	if i < len(c.words) {
		return c.words[i]
	}
	return ""
}

// path is a file's, seen from the tool's working directory.
func (c *call) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(c.dir, name)
}

// String is a call as the tests compare it: without flags and without the directories of files.
func (c *call) String() string {
	parts := []string{c.tool}
	words := slices.Clone(c.words)
	if c.tool == "kubectl" {
		words = append(words, c.flags["filename"]...)
	}
	for _, word := range words {
		if filepath.IsAbs(word) {
			word = filepath.Base(word)
		}
		parts = append(parts, word)
	}
	if c.dry() {
		parts = append(parts, "(dry run)")
	}
	return strings.Join(parts, " ")
}

func (c *call) dry() bool { return c.has("dry-run") && c.flag("dry-run") != "none" }

// is tells whether a call begins with these words: "helm get values".
func (c *call) is(pattern string) bool {
	want := strings.Fields(pattern)
	return want[0] == c.tool && len(c.words) >= len(want)-1 && slices.Equal(want[1:], c.words[:len(want)-1])
}
