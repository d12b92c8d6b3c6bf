package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"octo-operator/dev/devcontroller"
)

// hostilePageName is a workload's name that would run a script in a page that inserts it as HTML.
const hostilePageName = `Shop<img src=x onerror="document.title='stolen'"><script>document.title='stolen'</script>`

const (
	slowRtID  = "65d5c447b420da3fb12381c3"
	awayRtID  = "65d5c447b420da3fb12381c4"
	scaleRtID = "65d5c447b420da3fb12381c5"
	pageKey   = "planted-page-secret-4711"
)

func TestAPersonFindsOutOnTheStatusPageWhatRunsWhatWaitsAndWhyADeployHasFailed(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	host := w.statusPage()
	var err error
	w.stateDir, err = os.MkdirTemp("", "octo-") // a short name, for the pictures
	w.must(err)
	t.Cleanup(func() { _ = os.RemoveAll(w.stateDir) })
	stop := w.scaleUntilStopped()
	w.start()
	w.deployPool()
	b := newBrowser(t)
	b.open("http://" + host + "/")
	b.waitFor(`document.querySelector('#pools .succeeded')?.textContent === 'Registered'`)
	b.waitFor(`document.querySelector('#state').textContent.includes('leads')`)

	good := w.workload(hostilePageName, appRtID)
	good.ValuesYaml = "settings:\n  COLOUR: green\n"
	good.Values = []devcontroller.Override{{Path: "image.tag", Value: "1.10"}, {Path: "secrets.apiKey", Value: pageKey, IsSecret: true}}
	if s := w.deploy(good); !s.Success {
		t.Fatalf("reported %+v", s)
	}
	broken := w.workload("Broken", brokenRtID)
	broken.ValuesYaml = "image: {repository: demo/App}" // an invalid image name
	if s := w.deploy(broken); s.Success {
		t.Fatalf("reported %+v", s)
	}
	scaled := w.workload("Scaled", scaleRtID)
	if s := w.deploy(scaled); !s.Success {
		t.Fatalf("reported %+v", s)
	}
	w.leaveChanges("acme-" + brokenRtID)
	slow, away := w.workload("Slow", slowRtID), w.workload("Away", awayRtID)
	slow.ValuesYaml = "image: {repository: registry.example/does-not-exist}" // the registry may get that image later
	away.RepositoryURL = "http://127.0.0.1:1"
	w.must(w.controller.Deploy(w.ctx, slow))
	w.must(w.controller.Deploy(w.ctx, away))
	w.must(w.controller.Scale(w.ctx, scaled, 2))
	p := statusPage{w, b}
	p.overview()
	p.goodRun()
	p.failedRun()
	p.waitingRun()
	p.search()
	p.smallAndDark()
	stop()
	b.waitFor(`document.querySelector('#said').textContent.includes('Scaled succeeded')`)

	if wrong, foreign := b.complaints(host); len(wrong)+len(foreign) > 0 {
		t.Errorf("the browser complains %q, and has asked for %q", wrong, foreign)
	}
	if title := b.eval("document.title"); strings.Contains(title, "stolen") {
		t.Errorf("a name has become HTML: the title is %q", title)
	}
	w.wantNothingSecret(host)
}

// statusPage gives the operator a status page, and returns its host and port.
func (w *world) statusPage() string {
	w.Helper()
	host := fmt.Sprintf("127.0.0.1:%d", freePort(w))
	w.env = append(w.env, "OPERATOR__STATUSPAGE=http://"+host, "OPERATOR__HELM__TIMEOUT=10m")
	return host
}

// scaleUntilStopped replaces the script for scalings by one that runs and prints until stop is called.
func (w *world) scaleUntilStopped() (stop func()) {
	w.Helper()
	dir, file := w.TempDir(), filepath.Join(w.TempDir(), "stop")
	script := fmt.Sprintf("#!/bin/sh\ni=0\nwhile ! test -e %s; do i=$((i+1)); echo \"line $i of what runs\"; sleep 0.2; done\n", file)
	w.must(os.WriteFile(filepath.Join(dir, "workload-scale"), []byte(script), 0o700))
	w.env = append(w.env, "OPERATOR__SCRIPTSDIR="+dir)
	return func() { w.must(os.WriteFile(file, nil, 0o600)) }
}

// leaveChanges gives the run of a release changes that would do something in a page that inserts them as HTML.
func (w *world) leaveChanges(release string) {
	w.Helper()
	dirs, err := filepath.Glob(filepath.Join(w.stateDir, "runs", "*-"+release+"-*"))
	w.must(err)
	if len(dirs) != 1 {
		w.Fatalf("the runs of %s are %q", release, dirs)
	}
	w.must(os.WriteFile(filepath.Join(dirs[0], "changes.diff"), []byte("--- live\n+++ new\n@@ -1 +1 @@\n-image: demo/app:1.0\n+image: "+hostilePageName+"\u202e\n"), 0o600))
}

// statusPage is the page in the browser, as a person uses it.
type statusPage struct {
	*world
	*browser
}

const isShown = `!document.querySelector('#%s').hidden`

func link(text string) string {
	return fmt.Sprintf(`[...document.querySelectorAll('main a')].find(a => a.getClientRects().length && a.textContent.includes('%s'))`, text)
}

func (p statusPage) overview() {
	b := p.browser
	b.waitFor(`document.querySelector('#running pre')?.textContent.match(/line \d+ of what runs/)`)
	b.waitFor(`[...document.querySelectorAll('#waiting tr')].some(r => r.textContent.includes('` + slowRtID + `') && r.querySelector('.waiting').textContent === 'pods')`)
	b.waitFor(`[...document.querySelectorAll('#waiting tr')].some(r => r.textContent.includes('` + awayRtID + `') && r.querySelector('.waiting').textContent === 'retry' && r.textContent.match(/in \d|now/))`)
	b.waitFor(`document.querySelectorAll('#runs tr').length === 7`)
	if got := b.eval(`document.title`); got != "1 running, 2 waiting – octo-operator" {
		p.world.Errorf("the title is %q", got)
	}
	p.keepPicture("page-overview.png")
}

// goodRun opens and reads a run by keyboard only.
func (p statusPage) goodRun() {
	b := p.browser
	b.tabTo(`e.id === 'words'`)
	b.tabTo(`e.tagName === 'A' && e.textContent.includes('` + appRtID + `')`)
	if b.eval(`getComputedStyle(document.activeElement).outlineStyle`) == "none" {
		p.world.Errorf("nobody sees where the focus is")
	}
	b.press("Enter")
	b.waitFor(fmt.Sprintf(isShown, "run"))
	b.waitFor(`document.activeElement.tagName === 'H1'`)
	b.waitFor(`document.querySelector('#verdict .badge').textContent === 'succeeded'`)
	b.waitFor(`document.querySelector('#facts').textContent.includes("<img src=x onerror=")`)
	b.waitFor(`document.querySelectorAll('#picture rect.phase').length > 2`)
	b.waitFor(`[...document.querySelectorAll('#commands code')].some(c => c.textContent.includes('helm upgrade'))`)
	b.waitFor(`document.querySelector('#output').textContent.includes('helm')`)
	b.call("Browser.grantPermissions", map[string]any{"permissions": []string{"clipboardReadWrite", "clipboardSanitizedWrite"}}, nil)
	b.tabTo(`e.textContent === 'Copy'`)
	b.press("Enter")
	b.waitFor(`document.querySelector('#said').textContent === 'copied'`)
	if got := b.eval(`navigator.clipboard.readText()`); got != b.eval(`document.querySelector('#commands code').textContent`) {
		p.world.Errorf("copied is %q", got)
	}
	b.waitFor(`document.querySelectorAll('#values tr').length > 3`)
	b.tabTo(`e.className === 'layer' && e.closest('tr').textContent.startsWith('image.tag')`)
	b.waitFor(`!document.querySelector('#tip').hidden && document.querySelector('#tip').textContent.includes('overrides')`)
	b.press("Escape")
	b.waitFor(`document.querySelector('#tip').hidden`)
	b.eval(`document.dispatchEvent(new Event('scroll'))`) // as when the focused element comes into view only now
	if b.eval(`document.querySelector('#tip').hidden`) != "true" {
		p.world.Errorf("a tip that was closed is there again")
	}
	if n := b.eval(`document.querySelectorAll('main img').length`); n != "0" {
		p.world.Errorf("a name has become %s images", n)
	}
}

// failedRun finds a run with the mouse.
func (p statusPage) failedRun() {
	b := p.browser
	b.click(`document.querySelector('header .name')`)
	b.waitFor(fmt.Sprintf(isShown, "overview"))
	b.waitFor(link(brokenRtID))
	b.click(link(brokenRtID))
	b.waitFor(`document.querySelector('#verdict .badge')?.textContent === 'failed'`)
	b.waitFor(`document.querySelector('#verdict .reason').textContent.includes('demo/App')`)
	b.waitFor(`document.querySelector('#output').textContent !== ''`)
	b.waitFor(`document.querySelector('#changes .add').textContent.includes("</script>\\u202e")`)
	b.eval(`scrollTo({top: 0, behavior: 'instant'})`)
	p.keepPicture("page-failed.png")
}

func (p statusPage) waitingRun() {
	b := p.browser
	b.eval(`history.back()`)
	b.waitFor(fmt.Sprintf(isShown, "overview"))
	b.tabTo(`e.tagName === 'A' && e.textContent.includes('` + awayRtID + `')`)
	b.press("Enter")
	b.waitFor(`document.querySelector('#verdict .badge')?.textContent === 'waiting'`)
	b.waitFor(`document.querySelector('#verdict').textContent.includes('next try')`)
	b.waitFor(`document.querySelector('#verdict .reason').textContent.includes('127.0.0.1:1')`)
	b.click(`document.querySelector('header .name')`)
	b.waitFor(link(slowRtID))
	b.click(link(slowRtID))
	b.waitFor(`document.querySelector('#run h1').textContent.includes('Slow')`)
	b.waitFor(`document.querySelector('#verdict .badge')?.textContent === 'waiting' && document.querySelector('#picture rect.wait')`)
	b.waitFor(`document.querySelector('#verdict .reason').textContent.includes('registry.example/does-not-exist')`)
	b.eval(`scrollTo({top: 0, behavior: 'instant'})`)
	p.keepPicture("page-waiting.png")
}

func (p statusPage) search() {
	b := p.browser
	b.click(`document.querySelector('header .name')`)
	b.waitFor(fmt.Sprintf(isShown, "overview"))
	b.tabTo(`e.id === 'words'`)
	b.typeText("acme app:1 demo/app")
	b.waitFor(`document.querySelectorAll('#runs tr').length === 1 && document.querySelector('#runs .failed')`)
	b.eval(`document.querySelector('#words').select()`)
	b.typeText("nothing like it")
	b.waitFor(`document.querySelectorAll('#runs tr').length === 0`)
	b.eval(`document.querySelector('#words').select()`)
	b.typeText("acme")
	b.waitFor(`document.querySelectorAll('#runs tr').length === 7`)
	b.eval(`(s => { s.value = 'failed'; s.dispatchEvent(new Event('change')); })(document.querySelector('#outcome'))`)
	b.waitFor(`document.querySelectorAll('#runs tr').length === 1`)
	b.eval(`(s => { s.value = ''; s.dispatchEvent(new Event('change')); })(document.querySelector('#outcome'))`)
	b.waitFor(`document.querySelectorAll('#runs tr').length === 7`)
}

// smallAndDark looks at both pages in a small window and with dark colours.
func (p statusPage) smallAndDark() {
	b := p.browser
	for _, dark := range []bool{false, true} {
		b.dark(dark)
		for _, width := range []int{1280, 360} {
			b.size(width, 900)
			p.readable(fmt.Sprintf("the overview, %d wide, dark %v", width, dark))
			b.click(link(brokenRtID))
			b.waitFor(`document.querySelector('#verdict .badge')?.textContent === 'failed'`)
			b.waitFor(`document.querySelectorAll('#values tr').length > 3`)
			p.readable(fmt.Sprintf("a run, %d wide, dark %v", width, dark))
			b.click(`document.querySelector('header .name')`)
			b.waitFor(fmt.Sprintf(isShown, "overview"))
		}
		b.size(1280, 900)
	}
	b.eval(`scrollTo({top: 0, behavior: 'instant'})`)
	p.keepPicture("page-dark.png")
	b.dark(false)
}

func TestTheStatusPageRefusesOtherWebPagesAndOtherNames(t *testing.T) {
	w := newWorld(t, devcontroller.G3)
	host := w.statusPage()
	w.start()
	for _, test := range []struct {
		name, method, header, value string
		want                        int
	}{
		{"the page", http.MethodGet, "Sec-Fetch-Site", "same-origin", http.StatusOK},
		{"a name that leads here", http.MethodGet, "Host", "evil.example:5002", http.StatusForbidden},
		{"another web page", http.MethodGet, "Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		{"another origin", http.MethodGet, "Origin", "http://evil.example", http.StatusForbidden},
		{"a form", http.MethodPost, "Content-Type", "application/x-www-form-urlencoded", http.StatusMethodNotAllowed},
	} {
		for _, path := range []string{"/", "/api/now", "/api/runs"} {
			request, err := http.NewRequestWithContext(w.ctx, test.method, "http://"+host+path, nil)
			w.must(err)
			if request.Header.Set(test.header, test.value); test.header == "Host" {
				request.Host = test.value
			}
			response, err := http.DefaultClient.Do(request)
			w.must(err)
			response.Body.Close()
			if response.StatusCode != test.want {
				t.Errorf("%s: %s: %s", test.name, path, response.Status)
			}
		}
	}
}

// wantNothingSecret reads everything that the page can request.
func (w *world) wantNothingSecret(host string) {
	w.Helper()
	var list struct{ Runs []struct{ ID string } }
	w.must(json.Unmarshal([]byte(w.ask(host, "/api/runs", http.StatusOK)), &list))
	all := w.ask(host, "/api/now", http.StatusOK)
	for _, run := range list.Runs {
		for _, part := range []string{"", "/output", "/values"} {
			if part == "/values" && !strings.Contains(run.ID, "workload-deployed") {
				continue
			}
			all += w.ask(host, "/api/runs/"+run.ID+part, 0)
		}
	}
	for _, secret := range []string{pageKey, brokerPassword} {
		if strings.Contains(all, secret) {
			w.Errorf("the page has the secret %s", secret)
		}
	}
	if !strings.Contains(all, "secrets.apiKey") {
		w.Errorf("the page lacks the override whose value is secret")
	}
}

// ask returns the body of the answer. status is the wanted one; 0: any.
func (w *world) ask(host, path string, status int) string {
	w.Helper()
	response, err := http.Get("http://" + host + path)
	w.must(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	w.must(err)
	if status != 0 && response.StatusCode != status {
		w.Fatalf("%s: %s: %s", path, response.Status, body)
	}
	return string(body)
}
