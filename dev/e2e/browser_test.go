package e2e

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coder/websocket"
)

// browser is a headless Chromium with one tab, driven by its DevTools protocol. Every error in the tab fails the test.
type browser struct {
	*testing.T
	ctx     context.Context
	socket  *websocket.Conn
	session string // of the tab

	mu       sync.Mutex
	last     int // id of the last call
	waiting  map[int]chan answer
	requests []string // addresses that the tab has requested
	wrong    []string // errors and warnings of the tab
}

type answer struct {
	Result json.RawMessage
	Error  *struct{ Message string }
}

// findBrowser returns the path of the browser. make e2e installs Debian's.
func findBrowser(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("OCTO_CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := osexec.LookPath(name); name != "" && err == nil {
			return path
		}
	}
	t.Fatal("cannot test the status page: there is no Chromium on PATH: install it (apt-get install chromium), or name one by OCTO_CHROMIUM")
	return ""
}

var devTools = regexp.MustCompile(`DevTools listening on (ws://\S+)`)

// newBrowser starts a browser, which ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	dir := t.TempDir()
	// The sandbox needs privileges that a container does not have. The browser opens only our own page here.
	cmd := osexec.Command(findBrowser(t), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--no-proxy-server", "--hide-scrollbars", "--user-data-dir="+dir, "--remote-debugging-port=0", "about:blank")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+filepath.Join(dir, "config"), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start the browser: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); _ = cmd.Wait() })
	var text strings.Builder
	for lines := bufio.NewScanner(said); lines.Scan(); {
		fmt.Fprintln(&text, lines.Text())
		if found := devTools.FindStringSubmatch(lines.Text()); found != nil {
			go func() { _, _ = io.Copy(io.Discard, said) }()
			return connectBrowser(t, found[1])
		}
	}
	t.Fatalf("the browser has ended and said\n%s", text.String())
	return nil
}

func connectBrowser(t *testing.T, at string) *browser {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), longestTest)
	t.Cleanup(cancel)
	b := &browser{T: t, ctx: ctx, waiting: map[int]chan answer{}}
	var err error
	if b.socket, _, err = websocket.Dial(ctx, at, nil); err != nil {
		t.Fatal(err)
	}
	b.socket.SetReadLimit(64 << 20) // screenshots
	go b.read()
	var tab struct{ TargetID, SessionID string }
	b.call("Target.createTarget", map[string]any{"url": "about:blank"}, &tab)
	b.call("Target.attachToTarget", map[string]any{"targetId": tab.TargetID, "flatten": true}, &tab)
	b.session = tab.SessionID
	for _, domain := range []string{"Page", "Runtime", "Network", "Log"} {
		b.call(domain+".enable", nil, nil)
	}
	b.size(1280, 900)
	b.dark(false)
	return b
}

// read handles answers and events until the connection ends.
func (b *browser) read() {
	for {
		_, text, err := b.socket.Read(b.ctx)
		if err != nil {
			return
		}
		var message struct {
			answer
			ID     int
			Method string
			Params json.RawMessage
		}
		if json.Unmarshal(text, &message) != nil {
			continue
		}
		b.mu.Lock()
		if waiting := b.waiting[message.ID]; waiting != nil {
			delete(b.waiting, message.ID)
			waiting <- message.answer
		}
		b.note(message.Method, message.Params)
		b.mu.Unlock()
	}
}

// note records the tab's requests, errors and warnings. mu is held.
func (b *browser) note(method string, params json.RawMessage) {
	var event struct {
		Request struct{ URL string }
		Type    string
		Entry   struct{ Level, Text, URL string }
	}
	_ = json.Unmarshal(params, &event)
	switch {
	case method == "Network.requestWillBeSent":
		b.requests = append(b.requests, event.Request.URL)
	case method == "Runtime.exceptionThrown", method == "Runtime.consoleAPICalled" && (event.Type == "error" || event.Type == "warning"):
		b.wrong = append(b.wrong, string(params))
	case method == "Log.entryAdded" && (event.Entry.Level == "error" || event.Entry.Level == "warning"):
		b.wrong = append(b.wrong, event.Entry.Text+" "+event.Entry.URL)
	}
}

// call calls a method of the DevTools protocol.
func (b *browser) call(method string, params, result any) {
	b.Helper()
	if params == nil {
		params = struct{}{}
	}
	came := make(chan answer, 1)
	b.mu.Lock()
	b.last++
	id := b.last
	b.waiting[id] = came
	b.mu.Unlock()
	message, err := json.Marshal(map[string]any{"id": id, "method": method, "params": params, "sessionId": b.session})
	if b.session == "" {
		message, err = json.Marshal(map[string]any{"id": id, "method": method, "params": params})
	}
	if err == nil {
		err = b.socket.Write(b.ctx, websocket.MessageText, message)
	}
	if err != nil {
		b.Fatal(err)
	}
	select {
	case a := <-came:
		if a.Error != nil {
			b.Fatalf("%s: %s", method, a.Error.Message)
		}
		if result != nil {
			if err := json.Unmarshal(a.Result, result); err != nil {
				b.Fatal(err)
			}
		}
	case <-b.ctx.Done():
		b.Fatalf("%s: no answer", method)
	}
}

// open goes to an address.
func (b *browser) open(address string) {
	b.Helper()
	b.call("Page.navigate", map[string]any{"url": address}, nil)
}

// eval returns the value of an expression in the tab, as text.
func (b *browser) eval(expression string) string {
	b.Helper()
	var e struct {
		Result           struct{ Value any }
		ExceptionDetails *struct{ Exception struct{ Description string } }
	}
	b.call("Runtime.evaluate", map[string]any{"expression": expression, "awaitPromise": true, "returnByValue": true}, &e)
	if e.ExceptionDetails != nil {
		b.Fatalf("%s: %s", expression, e.ExceptionDetails.Exception.Description)
	}
	return fmt.Sprint(e.Result.Value)
}

// waitFor waits until an expression is true in the tab.
func (b *browser) waitFor(expression string) {
	b.Helper()
	for deadline := time.Now().Add(patience); b.eval("Boolean("+expression+")") != "true"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%s does not come true; the page is\n%s", expression, b.eval("document.body.innerText"))
		}
	}
}

// press presses and releases a key, such as "Tab" or "Enter".
func (b *browser) press(key string) {
	b.Helper()
	codes := map[string]int{"Tab": 9, "Enter": 13, "Escape": 27}
	down := map[string]any{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
	if key == "Enter" {
		down["text"] = "\r"
	}
	b.call("Input.dispatchKeyEvent", down, nil)
	b.call("Input.dispatchKeyEvent", map[string]any{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": codes[key]}, nil)
}

// tabTo presses Tab until the focus is on an element for which the expression, over e, is true.
func (b *browser) tabTo(is string) {
	b.Helper()
	for range 200 {
		b.press("Tab")
		if b.eval("(e => Boolean("+is+"))(document.activeElement)") == "true" {
			return
		}
	}
	b.Fatalf("the Tab key does not lead to %s; the page is\n%s", is, b.eval("document.body.innerText"))
}

// typeText types into the focused element.
func (b *browser) typeText(text string) {
	b.Helper()
	b.call("Input.insertText", map[string]any{"text": text}, nil)
}

// click clicks in the middle of the element that an expression returns.
func (b *browser) click(element string) {
	b.Helper()
	var at struct{ X, Y float64 }
	where := `(e => { e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getClientRects()[0]; return {x: r.x + r.width / 2, y: r.y + r.height / 2, e}; })(` + element + `)`
	b.waitFor(`(p => { const top = document.elementFromPoint(p.x, p.y); return p.e === top || p.e.contains(top); })(` + where + `)`)
	if err := json.Unmarshal([]byte(b.eval(`JSON.stringify(`+where+`, ['x', 'y'])`)), &at); err != nil {
		b.Fatal(err)
	}
	for _, kind := range []string{"mouseMoved", "mousePressed", "mouseReleased"} {
		mouse := map[string]any{"type": kind, "x": at.X, "y": at.Y}
		if kind != "mouseMoved" {
			mouse["button"], mouse["clickCount"] = "left", 1
		}
		b.call("Input.dispatchMouseEvent", mouse, nil)
	}
}

// size sets the size of the window.
func (b *browser) size(width, height int) {
	b.Helper()
	b.call("Emulation.setDeviceMetricsOverride", map[string]any{"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}, nil)
}

// dark makes the tab prefer dark colours, or light ones. It also prefers no motion: a page that is still scrolling when it is clicked on is
// clicked on elsewhere.
func (b *browser) dark(dark bool) {
	b.Helper()
	scheme := map[bool]string{true: "dark", false: "light"}[dark]
	b.call("Emulation.setEmulatedMedia", map[string]any{"features": []any{
		map[string]any{"name": "prefers-color-scheme", "value": scheme}, map[string]any{"name": "prefers-reduced-motion", "value": "reduce"},
	}}, nil)
}

// picture returns the window's content as PNG.
func (b *browser) picture() []byte {
	b.Helper()
	var shot struct{ Data string }
	b.call("Page.captureScreenshot", map[string]any{"format": "png"}, &shot)
	image, err := base64.StdEncoding.DecodeString(shot.Data)
	if err != nil {
		b.Fatal(err)
	}
	return image
}

// complaints returns errors and warnings of the tab, and the addresses on other hosts that it has requested.
func (b *browser) complaints(host string) (wrong, foreign []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, address := range b.requests {
		if u, err := url.Parse(address); err != nil || u.Host != host && u.Scheme != "data" && u.Scheme != "about" {
			foreign = append(foreign, address)
		}
	}
	return b.wrong, foreign
}
