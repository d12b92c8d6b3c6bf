package handlers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"slices"
	"strings"

	"octo-operator/exec"
	"octo-operator/hub"
	"octo-operator/kube"
)

const removedSecret = "[removed after the run]"

var removedJSON = json.RawMessage(`"` + removedSecret + `"`)

// shortestElsewhere is the length in bytes from which on a value of a chart's own Secret is taken out of other objects too. Shorter ones
// are mostly words: "postgres", "true".
const shortestElsewhere = 9

// keepManifest takes what is secret out of the manifest that helm has made of the chart: the values of its Secrets, wherever they stand,
// and those that came with the event. A manifest in which that cannot be told goes. It is done before the run has its result: a run
// that begins again makes another one.
func (t *task) keepManifest() {
	manifest, err := readManifest(t.Path(manifestFile))
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	var secrets []string
	if err == nil {
		manifest, secrets, err = kube.WithoutSecrets(manifest, removedSecret)
	}
	if err == nil {
		secrets = slices.DeleteFunc(secrets, func(value string) bool { return len(value) < shortestElsewhere })
		redact := exec.NewRedactor(secrets...)
		if redact.Full() {
			err = errors.New("the chart's Secrets hold too much")
		} else {
			manifest = []byte(t.redact.String(redact.String(string(manifest))))
			err = t.Write(manifestFile, manifest)
		}
	}
	if err == nil {
		return
	}
	t.log.Info("the manifest is not kept: nobody can tell what in it is secret", "reason", err)
	if err := t.Remove(manifestFile); err != nil {
		t.log.Error("secrets may remain in the run directory", "dir", t.Dir, "reason", err)
	}
}

// withoutSecrets is the event as it may stay on disk. What is not clearly plain counts as secret.
func withoutSecrets(event hub.Event) (hub.Event, bool) {
	if event.Callback != hub.WorkloadDeploy {
		return event, false
	}
	// Not through the DTO: what a newer controller sent besides stays too.
	clean, err := editObject(event.Argument, func(name string, value json.RawMessage) json.RawMessage {
		switch {
		case isNull(value):
			return value
		case strings.EqualFold(name, "repositoryPassword"):
			return removedJSON
		case strings.EqualFold(name, "repositoryUrl"):
			return withoutUserAndQuery(value)
		case strings.EqualFold(name, "values"):
			return withoutSecretValues(value)
		}
		return value
	})
	if err != nil {
		return hub.Event{Callback: event.Callback, Argument: json.RawMessage(`"[not readable, removed after the run]"`)}, true
	}
	before := &bytes.Buffer{}
	err = json.Compact(before, event.Argument)
	return hub.Event{Callback: event.Callback, Argument: clean}, err != nil || !bytes.Equal(clean, before.Bytes())
}

// withoutSecretValues works on the list of overrides.
func withoutSecretValues(values json.RawMessage) json.RawMessage {
	var list []json.RawMessage
	if json.Unmarshal(values, &list) != nil {
		return removedJSON
	}
	for i, override := range list {
		if !isNull(override) {
			list[i] = withoutSecretValue(override)
		}
	}
	clean, err := json.Marshal(list)
	if err != nil {
		return removedJSON
	}
	return clean
}

func withoutSecretValue(override json.RawMessage) json.RawMessage {
	secret := false
	clean, err := editObject(override, func(name string, value json.RawMessage) json.RawMessage {
		secret = secret || strings.EqualFold(name, "isSecret") && !isNull(value) && string(value) != "false"
		return value
	})
	if secret {
		clean, err = editObject(override, func(name string, value json.RawMessage) json.RawMessage {
			if strings.EqualFold(name, "value") {
				return removedJSON
			}
			return value
		})
	}
	if err != nil {
		return removedJSON
	}
	return clean
}

// withoutUserAndQuery works on a URL: it may be signed, and an earlier version has kept events whose URL holds a password.
func withoutUserAndQuery(text json.RawMessage) json.RawMessage {
	var address string
	if json.Unmarshal(text, &address) != nil {
		return removedJSON
	}
	u, err := url.Parse(address)
	readable := err == nil && u.Host != ""
	switch {
	case readable && u.User == nil && u.RawQuery == "" && u.Fragment == "", !readable && !strings.ContainsAny(address, "@?#"):
		return text
	case !readable:
		return removedJSON
	}
	const hidden = "xxxxx"
	if u.User != nil {
		u.User = url.User(hidden) // the name may be a token
	}
	if u.RawQuery != "" {
		u.RawQuery = hidden
	}
	u.Fragment = ""
	clean, err := json.Marshal(u.String())
	if err != nil {
		return removedJSON
	}
	return clean
}

func isNull(value json.RawMessage) bool { return string(value) == "null" }

// editObject lets edit change each value of a JSON object: also those whose name comes more than once, of which a map holds
// the last alone.
func editObject(object json.RawMessage, edit func(name string, value json.RawMessage) json.RawMessage) (json.RawMessage, error) {
	edited := bytes.NewBufferString("{")
	err := eachMember(object, func(name string, value json.RawMessage) error {
		quoted, _ := json.Marshal(name) // never fails for a string
		if edited.Len() > 1 {
			edited.WriteByte(',')
		}
		fmt.Fprintf(edited, "%s:%s", quoted, edit(name, value))
		return nil
	})
	if err != nil {
		return nil, err
	}
	edited.WriteByte('}')
	compact := &bytes.Buffer{}
	err = json.Compact(compact, edited.Bytes())
	return compact.Bytes(), err
}
