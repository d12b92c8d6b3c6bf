package guard

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"octo-operator/kube"
)

// Scope says what one run may touch. It decides about the requests that the run's helm and kubectl send while a script of the release runs.
type Scope struct {
	Release, Namespace string
	Group              string   // API group of the operator's own resources, and prefix of its labels
	Tenants            []string // values that the label GROUP/tenant may have on objects of the release's tenant
	Secrets            []string // names of the Secrets that the operator makes for the release: they may be read and written
	Broker             []string // names of the Secrets that the operator makes for the release's pool: they may be read
	// Look, if not nil, returns what is wrong with an object, or a patch of one, that is to be written: YAML or JSON.
	Look func(object []byte) error
	// BeforeWrite, if not nil, is called before each request passes that changes something. The request waits until it returns.
	BeforeWrite func(context.Context)
	// Renders: helm renders the chart, so that a template may look up anything (lookup). false: helm works with what it has stored.
	Renders bool
}

// verdict is what to do with a request that is not refused outright.
type verdict int

const (
	pass            verdict = iota
	passAndRemember         // pass, and remember from the answer who owns the object
	passIfOwn               // pass, but replace the answer by a refusal unless the object is the release's own
	checkOwner              // find out who owns the object before the request passes
)

// judge decides by the method and the URL alone. The error says why the request is refused.
func (r Scope) judge(method string, u *url.URL) (verdict, target, error) {
	t, err := targetOf(u)
	if err != nil {
		return pass, t, err
	}
	switch t.sub {
	case "exec", "attach", "portforward", "proxy", "token":
		return pass, t, errors.New("a deploy needs no " + t.sub)
	}
	switch method {
	case http.MethodGet, http.MethodHead:
		return r.judgeReading(t, u.Query())
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return r.judgeWriting(method, t, u.Query())
	}
	return pass, t, errors.New("helm and kubectl send no " + method)
}

func (r Scope) judgeReading(t target, query url.Values) (verdict, target, error) {
	isSecret := strings.EqualFold(t.resource, "secrets") && r.Renders
	switch {
	case t.name != "" && isSecret && !r.isOwn(t) && (t.namespace != r.Namespace || !slices.Contains(r.Broker, t.name)):
		return passIfOwn, t, nil
	case t.name != "" && t.sub == "" && !isSecret:
		return passAndRemember, t, nil
	case t.name == "" && isSecret && !r.isHelmsOwnList(query):
		return pass, t, errors.New("it would list all Secrets, those of other releases too: take the lookup out of the chart, or let it ask for one Secret by its name")
	}
	return pass, t, nil
}

// isHelmsOwnList tells whether helm itself lists Secrets, for the release's revisions or to wait for objects, and not a template. A
// template's lookup sends no query at all, and cannot be made to send one.
func (r Scope) isHelmsOwnList(query url.Values) bool {
	if selectors := query["labelSelector"]; len(selectors) == 1 {
		wants := strings.Split(selectors[0], ",")
		return slices.Contains(wants, "owner=helm") && slices.Contains(wants, "name="+r.Release)
	}
	return query.Get("watch") != "" || query.Get("resourceVersion") != "" || query.Get("limit") != ""
}

func (r Scope) judgeWriting(method string, t target, query url.Values) (verdict, target, error) {
	switch {
	case t.resource == "":
		return pass, t, errors.New("there is nothing to be written")
	case t.group == r.Group:
		return pass, t, errors.New("only the operator makes and changes objects of its API group " + r.Group)
	case t.namespace != "" && t.namespace != r.Namespace && r.Look != nil && method != http.MethodDelete:
		return pass, t, fmt.Errorf("it belongs into namespace %s, and the release may only have objects in %s: correct the namespace in the chart or the values", t.namespace, r.Namespace)
	case t.namespace != "" && t.namespace != r.Namespace:
		return pass, t, nil // RBAC decides about other namespaces
	case t.name == "" && method == http.MethodDelete:
		return pass, t, errors.New("nothing deletes all objects of a kind")
	case t.name == "" || r.isOwn(t):
		return pass, t, nil
	case t.resource == "leases" && strings.HasPrefix(t.name, "octo-operator-"):
		return pass, t, errors.New("it is an operator's own")
	case t.resource == "secrets" && strings.HasPrefix(t.name, revisions):
		return pass, t, errors.New("it is a revision of another release")
	case isDryRun(method, query):
		return pass, t, nil
	}
	return checkOwner, t, nil
}

// isDryRun tells whether a request is a dry run, which changes nothing. A DELETE never counts as one, because its body may override the query.
func isDryRun(method string, query url.Values) bool {
	return method != http.MethodDelete && slices.Equal(query["dryRun"], []string{"All"})
}

// changes tells whether a request changes something.
func changes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !isDryRun(r.Method, r.URL.Query())
}

const revisions = "sh.helm.release.v1."

// isOwn tells by the name alone whether the target is a Secret that helm or the operator keeps for the release.
func (r Scope) isOwn(t target) bool {
	if t.resource != "secrets" || t.namespace != r.Namespace {
		return false
	}
	version, is := strings.CutPrefix(t.name, kube.RevisionSecret(r.Release, ""))
	return is && strings.Trim(version, "0123456789") == "" || slices.Contains(r.Secrets, t.name)
}

// belongs tells by labels and annotations whether an object is the release's own. If it belongs to somebody else, another says to whom
// and how that is known. own is false and another is "" if nothing says whose it is.
func (r Scope) belongs(m kube.Metadata) (own bool, another string) {
	const name, namespace, instance = "meta.helm.sh/release-name", "meta.helm.sh/release-namespace", "app.kubernetes.io/instance"
	release, tenant := m.Annotations[name], m.Labels[r.Group+"/tenant"]
	switch {
	case release != "" && (release != r.Release || m.Annotations[namespace] != r.Namespace):
		return false, fmt.Sprintf("it is release %s's in namespace %s (annotation %s)", release, m.Annotations[namespace], name)
	case tenant != "" && !slices.Contains(r.Tenants, tenant):
		return false, fmt.Sprintf("it is tenant %s's (label %s/tenant)", tenant, r.Group)
	case m.Labels["owner"] == "helm" && m.Labels["name"] != r.Release:
		return false, "it is a revision of another release (label owner=helm)"
	case kube.NamesRelease(m.Labels[instance]) && m.Labels[instance] != r.Release:
		return false, fmt.Sprintf("it is release %s's (label %s)", m.Labels[instance], instance)
	}
	for _, label := range kube.NoteLabels {
		if _, is := m.Labels[r.Group+label]; is {
			return false, "it is the operator's own (label " + r.Group + label + ")"
		}
	}
	return release != "" || m.Labels[instance] == r.Release, ""
}
