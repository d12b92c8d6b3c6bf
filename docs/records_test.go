package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// saysNext are the attributes of a warning or an error that say what comes next, or what is to be done: "next" in words, a time, or the name of
// the setting.
var saysNext = []string{"next", "retry_in", "looks_again_in", "setting"}

// saysItself are the messages that say themselves what comes next.
var saysItself = []string{
	"a killed helm has left the release unusable: it is recovered",
	"broker secrets not looked up: they are applied again",
	"event stopped by the operator's end: it will be resumed",
	"helm was ended in the middle of the undeploy: it is run again",
	"kubectl proxy ended: the next request starts it again",
	"message ignored: it is too long for an event: make the workload's values smaller",
	"no event is taken before it is known what is unfinished in the cluster",
	"not all that is unfinished in the cluster is known yet: it is looked for again",
	"not everything is handed over to the operator that leads: the next life tries again",
	"not everything is handed over to the operator that leads: tried again",
	"octo-operator ends at once: running scripts are killed, and their events are resumed after the restart",
	"octo-operator stops its work and starts again",
	"output cut: the rest of it is in output.log alone",
	"pool is being deleted, and stays until somebody else's finalizers are removed",
	"release may be left unusable: the next deploy tries to recover it",
	"result not kept: tried again every minute; until then the event would run again after a restart",
	"the cluster has something else than the release: it is deployed again",
	"the controller lacks a method: such reports are not sent",
	"the controller lacks a method: the deployed state is not reported",
	"the deploy has failed before it changed anything: the pods of the one before it are waited for",
	"the disk is full: all finished runs and charts are removed",
	"the next operator waits until this one's Lease has run out",
	"the operator works without a Lease, and keeps events on disk alone: they do not survive a pod that is replaced with its disk, and " +
		"a second operator would do everything twice. Allow get, create and patch of leases, and start it again",
	"the pool is reported as deployed without its workloads: they do not fit into one message",
	"the release's Deployments do not run the same number of replicas: the largest counts",
}

// troubles are the calls of a logger that warn or tell of an error. Whatever is called Log or log is one.
func troubles(t *testing.T) (calls []*ast.CallExpr, places *token.FileSet) {
	t.Helper()
	places = token.NewFileSet()
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() && (entry.Name() == "dev" || entry.Name() == ".git" || entry.Name() == "testdata" || entry.Name() == "helmoracle") {
			return fs.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(places, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, is := n.(*ast.CallExpr); is && warns(call) {
				calls = append(calls, call)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return calls, places
}

func warns(call *ast.CallExpr) bool {
	method, is := call.Fun.(*ast.SelectorExpr)
	if !is || !slices.Contains([]string{"Warn", "Error", "WarnContext", "ErrorContext", "Log"}, method.Sel.Name) {
		return false
	}
	switch on := method.X.(type) {
	case *ast.Ident:
		return strings.EqualFold(on.Name, "log")
	case *ast.SelectorExpr:
		return strings.EqualFold(on.Sel.Name, "log")
	case *ast.CallExpr: // log.With(…).Error
		with, is := on.Fun.(*ast.SelectorExpr)
		return is && with.Sel.Name == "With"
	}
	return false
}

func TestEachWarningAndErrorInTheLogSaysWhatComesNext(t *testing.T) {
	calls, places := troubles(t)
	if len(calls) < 80 {
		t.Fatalf("%d warnings and errors in the whole program: this test no longer finds them", len(calls))
	}
	var itself []string
	for _, call := range calls {
		names, message := stringsOf(call)
		leveled := call.Fun.(*ast.SelectorExpr).Sel.Name == "Log"
		switch {
		case leveled && !slices.Contains(names, "reason"): // most are no trouble
		case slices.ContainsFunc(names, func(name string) bool { return slices.Contains(saysNext, name) }):
		case slices.Contains(saysItself, message):
			itself = append(itself, message)
		default:
			t.Errorf("%s: %q says neither what comes next nor what to do: give it the attribute next", places.Position(call.Pos()), message)
		}
	}
	for _, message := range saysItself {
		if !slices.Contains(itself, message) {
			t.Errorf("no record has the message %q any more", message)
		}
	}
}

// stringsOf are the literals among the arguments of a call: the message, and the names of attributes. What is put together with + is one.
func stringsOf(call *ast.CallExpr) (all []string, first string) {
	for i, arg := range call.Args {
		if text, is := literal(arg); is {
			if all = append(all, text); i == 0 {
				first = text
			}
		}
	}
	return all, first
}

func literal(e ast.Expr) (string, bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		text, err := strconv.Unquote(e.Value)
		return text, err == nil
	case *ast.BinaryExpr:
		left, isLeft := literal(e.X)
		right, isRight := literal(e.Y)
		return left + right, isLeft && isRight
	}
	return "", false
}
