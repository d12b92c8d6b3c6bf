package kube

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"octo-operator/text"

	"go.yaml.in/yaml/v3"
)

// Rules says what a release's manifest must not contain, because it would affect another release or the operator. Whatever else a chart
// does is up to the API server.
type Rules struct {
	Release, Namespace string
	Group              string // the operator's API group, also the prefix of its labels
	Tenant             string // the only allowed value of the label Group/tenant
	// A Secret whose name has one of the Endings, such as "-octo-secrets", belongs to one release or pool. Own are the names of those
	// that belong to this release and its pool.
	Endings, Own []string
	Account      string   // name of the operator's own service account, if it is in Namespace; "": it is not, or is not known
	Secrets      []string // names of the operator's own Secrets, if they are in Namespace
}

// refusedError names an object that a release must not have.
type refusedError struct {
	Object string // such as "Secret web"
	Why    string // the reason, and what to do
}

func (e *refusedError) Error() string {
	return text.Printable(fmt.Sprintf("the manifest is refused: %s %s", e.Object, e.Why)) // printable: the names come from a chart
}

// Look checks a manifest by the rules. The error is a *refusedError that names the object, or says why the manifest cannot be checked. Look covers
// all that helm would send to the API server: hooks too, lists inside lists, duplicate keys, and values behind aliases.
func Look(manifest []byte, rules Rules) error {
	l := manifestCheck{rules: rules, seen: map[visit]bool{}}
	err := eachDocument(manifest, "look at", l.document)
	if refused := (*refusedError)(nil); errors.As(err, &refused) {
		return refused
	}
	return err
}

func (l *manifestCheck) document(document []byte) error {
	if gluedMarker.Match(document) { // helm and kubectl disagree on whether a document ends here
		return errors.New("a line begins with --- and goes on with something else: correct the chart")
	}
	err := l.each(document, func(node *yaml.Node) error { return l.value(node.Content[0], place{}, "an object without a kind") })
	if err != nil {
		err = fmt.Errorf("%w: correct the chart", err)
	}
	return err
}

var gluedMarker = regexp.MustCompile(`(?m)^---[^\s]`)

const (
	outOfChart = ": take it out of the chart or the values"
	helmsOwn   = "sh.helm.release." // beginning of the names of Helm's own Secrets
)

// object checks the kind and the name of an object.
func (l *manifestCheck) object(node *yaml.Node, kinds []string, name string) error {
	refuse := func(why string) error { return &refusedError{name, why} }
	is := func(kind string) bool {
		return slices.ContainsFunc(kinds, func(k string) bool { return strings.EqualFold(k, kind) })
	}
	stored := is("Secret") || is("ConfigMap")
	names := append(l.texts(node, "metadata", "name"), l.texts(node, "metadata", "generateName")...)
	switch {
	case stored && slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, helmsOwn) }),
		slices.ContainsFunc(l.texts(node, "type"), func(t string) bool { return strings.HasPrefix(t, "helm.sh/") }),
		is("Secret") && slices.Contains(l.texts(node, "metadata", "labels", "owner"), "helm"):
		return refuse("would count as a revision of a Helm release, and only helm itself writes those" + outOfChart)
	case slices.ContainsFunc(l.texts(node, "apiVersion"), func(v string) bool { return strings.HasPrefix(v, l.rules.Group+"/") }):
		return refuse("is of the operator's own API group " + l.rules.Group + ", of which only the operator makes objects" + outOfChart)
	case is("Lease") && slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, "octo-operator-") }):
		return refuse("would count as an operator's own Lease" + outOfChart)
	case l.rules.Account != "" && is("ServiceAccount") && slices.Contains(names, l.rules.Account):
		return refuse("is the operator's own service account: give the chart's another name")
	case l.rules.Account != "" && slices.Contains(l.texts(node, "metadata", "annotations", "kubernetes.io/service-account.name"), l.rules.Account):
		return refuse("asks for a token of the operator's own service account" + outOfChart)
	case is("Secret") && slices.ContainsFunc(names, l.isAnothers):
		return refuse("has the name of a Secret that is another release's or pool's: give the chart's another name")
	case is("Secret") && slices.ContainsFunc(names, func(n string) bool { return slices.Contains(l.rules.Secrets, n) }):
		return refuse("is the operator's own Secret: give the chart's another name")
	}
	for _, namespace := range l.texts(node, "metadata", "namespace") {
		if namespace != "" && namespace != l.rules.Namespace {
			return refuse(fmt.Sprintf("belongs into namespace %s, and release %s may only have objects in %s: correct the namespace in the chart or the values",
				namespace, l.rules.Release, l.rules.Namespace))
		}
	}
	return nil
}

// NoteLabels are labels of objects in which the operator keeps its own records, without the API group in front.
var NoteLabels = []string{"/journal", "/holder", "/waiting"}

var ofRelease = regexp.MustCompile(`-[0-9a-f]{24}$`)

// NamesRelease tells whether a label's value has the form of a release name that this operator makes: it ends with the runtime id of a
// workload.
func NamesRelease(value string) bool { return ofRelease.MatchString(value) }

// labels checks the labels of an object by which the operator and helm find what belongs to a release.
func (l *manifestCheck) labels(node *yaml.Node, object string) error {
	for _, tenant := range l.texts(node, "labels", l.rules.Group+"/tenant") {
		if tenant != l.rules.Tenant {
			return &refusedError{object, fmt.Sprintf("is labelled as tenant %q's (%s/tenant)%s", tenant, l.rules.Group, outOfChart)}
		}
	}
	for _, label := range NoteLabels {
		if len(l.texts(node, "labels", l.rules.Group+label)) > 0 {
			return &refusedError{object, "has the label " + l.rules.Group + label + ", by which the operator knows its own notes" + outOfChart}
		}
	}
	for _, release := range l.texts(node, "labels", "app.kubernetes.io/instance") {
		if release != l.rules.Release && NamesRelease(release) {
			return &refusedError{object, fmt.Sprintf("is labelled as release %s's (app.kubernetes.io/instance), and belongs to release %s%s", release, l.rules.Release, outOfChart)}
		}
	}
	return nil
}

// text checks whether a string is the name of something that belongs to another release or the operator. It is called for every string of the
// manifest, because nobody can list all fields that name a Secret: the cluster may have kinds of its own.
func (l *manifestCheck) text(text string, at place, object string) error {
	if len(text) > longestReference {
		return nil
	}
	refuse := func(format string, args ...any) error {
		return &refusedError{object, fmt.Sprintf(format, args...) + outOfChart}
	}
	name := text[strings.LastIndexByte(text, '/')+1:] // some write NAMESPACE/NAME
	switch {
	case strings.HasPrefix(name, helmsOwn):
		return refuse("names %s, a revision of a Helm release, which may hold secrets", name)
	case l.isAnothers(name):
		return refuse("names the Secret %s, which is another release's or pool's", name)
	case at.inSecret && slices.Contains(l.rules.Secrets, name):
		return refuse("names the Secret %s, which is the operator's own", name)
	case at.inAccount && l.rules.Account != "" && text == l.rules.Account:
		return refuse("runs with the operator's own service account %s, and would have all its rights", text)
	}
	return nil
}

// longestReference is the length of NAMESPACE/NAME.
const longestReference = 63 + 1 + 253

var secretName = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]*$`)

func (l *manifestCheck) isAnothers(name string) bool {
	return name != l.rules.Release && !slices.Contains(l.rules.Own, name) && secretName.MatchString(name) &&
		slices.ContainsFunc(l.rules.Endings, func(ending string) bool { return strings.HasSuffix(name, ending) })
}
