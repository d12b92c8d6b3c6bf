package changes

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"octo-operator/bounds"
	"octo-operator/text"
)

// Report is what a deploy changes.
type Report struct {
	Text    string // the diffs, and a line about each object that has none
	Summary string // such as "2 objects changed: Deployment image 1.2→1.3, ConfigMap 1 key"; "nothing changed"
	Changes []Change
}

// Any tells whether anything changes or may change: objects that could not be compared count.
func (r Report) Any() bool {
	return slices.ContainsFunc(r.Changes, func(c Change) bool { return c.State != Same && c.State != Left })
}

// Join makes a report of the changes of all objects, in their order. left is the number of further objects, which were not compared.
func Join(all []Change, left int) Report {
	r := Report{Changes: all, Summary: summary(all, left)}
	var b strings.Builder
	b.WriteString(r.Summary + "\n")
	cut := 0
	for _, c := range all {
		part := c.Diff
		switch c.State {
		case Unknown:
			part = c.String() + ": not compared: " + c.Reason + "\n"
		case Left:
			part = c.String() + ": no longer in the release, and kept in the cluster (helm.sh/resource-policy)\n"
		}
		switch {
		case part == "":
		case b.Len()+len(part) > bounds.Diff:
			cut++
		default:
			b.WriteString("\n" + part)
		}
	}
	if cut > 0 {
		fmt.Fprintf(&b, "\n… and %s, not shown: there is too much\n", counted(cut, "more object"))
	}
	r.Text = b.String()
	return r
}

// Limits of a summary.
const (
	longestSummary = 400 // bytes
	mostNamed      = 5   // objects of each state
	mostSaid       = 3   // things of each object
)

func summary(all []Change, left int) string {
	var parts []string
	for _, state := range []struct {
		is   State
		verb string
	}{{Changed, "changed"}, {New, "new"}, {Removed, "removed"}, {Unknown, "not compared"}} {
		of := slices.DeleteFunc(slices.Clone(all), func(c Change) bool { return c.State != state.is })
		if n := len(of); n > 0 {
			parts = append(parts, counted(n, "object")+" "+state.verb+": "+named(of))
		}
	}
	if left > 0 {
		parts = append(parts, counted(left, "more object")+" not compared: there are too many")
	}
	if len(parts) == 0 {
		return "nothing changed"
	}
	return text.Clip(strings.Join(parts, "; "), longestSummary)
}

// named lists objects of one state: by their kind, and if several have the same kind, also by their name.
func named(of []Change) string {
	kinds := map[string]int{}
	for _, c := range of {
		kinds[c.Kind]++
	}
	var list []string
	for i, c := range of {
		if i == mostNamed {
			list = append(list, fmt.Sprintf("and %d more", len(of)-i))
			break
		}
		what := c.Kind
		if kinds[c.Kind] > 1 {
			what += " " + c.Name
		}
		if said := c.What[:min(len(c.What), mostSaid)]; len(said) > 0 {
			what += " " + strings.Join(said, " and ")
		}
		list = append(list, text.Printable(what))
	}
	return strings.Join(list, ", ")
}

func counted(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// what says in a few words each how a changed object differs.
func what(o Object) (said []string) {
	seen := map[string]bool{}
	add := func(text string) {
		if !seen[text] {
			seen[text] = true
			said = append(said, text)
		}
	}
	liveImages, madeImages := images(o.Live), images(o.Made)
	known := 0
	for _, at := range slices.Sorted(maps.Keys(madeImages)) {
		if was, is := liveImages[at], madeImages[at]; was != "" && was != is {
			known++
			add("image " + fromTo(was, is))
		}
	}
	keys, labels, fields := 0, false, 0
	eachDifference(nil, o.Live, o.Made, func(path []string, was, is any) {
		first := path[0]
		switch {
		case first == "data" || first == "stringData" || first == "binaryData":
			keys += keysAt(path, was, is)
		case first == "metadata" && len(path) > 2 && (path[1] == "labels" || path[1] == "annotations"):
			labels = true
		case slices.Equal(path, []string{"spec", "replicas"}) && was != nil && is != nil:
			add(fmt.Sprintf("replicas %v→%v", was, is))
		default:
			fields++
		}
	})
	if keys > 0 {
		add(counted(keys, "key"))
	}
	if fields -= known; fields > 0 {
		add(counted(fields, "field"))
	}
	if labels {
		add("labels")
	}
	return said
}

// keysAt returns how many keys of the data a difference concerns: the whole map may be added or removed.
func keysAt(path []string, was, is any) int {
	before, _ := was.(map[string]any)
	after, _ := is.(map[string]any)
	if len(path) > 1 {
		return 1
	}
	return max(1, len(before), len(after))
}

// fromTo shows the change of an image without what both have in common: the repository.
func fromTo(was, is string) string {
	repository := func(image string) (string, string) {
		i := strings.LastIndexAny(image, ":@")
		if i < 0 || strings.Contains(image[i:], "/") {
			return image, ""
		}
		return image[:i], image[i+1:]
	}
	wasOf, wasTag := repository(was)
	isOf, isTag := repository(is)
	if wasOf == isOf && wasTag != "" && isTag != "" {
		return wasTag + "→" + isTag
	}
	return was + "→" + is
}

// podTemplate returns the part of an object from which pods are made; nil: it makes none.
func podTemplate(o map[string]any) map[string]any {
	spec := section(o, "spec")
	if o["kind"] == "CronJob" {
		spec = section(section(spec, "jobTemplate"), "spec")
	}
	return section(spec, "template")
}

// images returns the images of an object's containers, by the container's kind and name.
func images(o map[string]any) map[string]string {
	found := map[string]string{}
	spec := section(podTemplate(o), "spec")
	if o["kind"] == "Pod" {
		spec = section(o, "spec")
	}
	for _, list := range []string{"initContainers", "containers"} {
		containers, _ := spec[list].([]any)
		for _, one := range containers {
			container, _ := one.(map[string]any)
			if image, is := container["image"].(string); is {
				found[fmt.Sprint(list, "/", container["name"])] = image
			}
		}
	}
	return found
}

// replacesPods tells whether a workload's change replaces its pods. A Job's pods stay, because its template cannot change.
func replacesPods(o Object) bool {
	switch o.Kind {
	case "Deployment", "StatefulSet", "DaemonSet":
		return section(o.Made, "spec")["replicas"] != int64(0) && !reflect.DeepEqual(podTemplate(o.Live), podTemplate(o.Made))
	}
	return false
}

// eachDifference calls f with the path and both values of each difference; nil stands for a missing value. Lists of the same length are
// compared item by item, others as one value.
func eachDifference(path []string, was, is any, f func(path []string, was, is any)) {
	if reflect.DeepEqual(was, is) {
		return
	}
	wasMap, wasIs := was.(map[string]any)
	isMap, isIs := is.(map[string]any)
	if wasIs && isIs {
		all := maps.Clone(isMap)
		maps.Copy(all, wasMap)
		for _, key := range slices.Sorted(maps.Keys(all)) {
			eachDifference(append(slices.Clone(path), key), wasMap[key], isMap[key], f)
		}
		return
	}
	wasList, wasIs := was.([]any)
	isList, isIs := is.([]any)
	if wasIs && isIs && len(wasList) == len(isList) {
		for i := range isList {
			eachDifference(append(slices.Clone(path), fmt.Sprint(i)), wasList[i], isList[i], f)
		}
		return
	}
	f(path, was, is)
}
