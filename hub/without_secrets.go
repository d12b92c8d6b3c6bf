package hub

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// RemovedSecret stands where a secret value was, in the files that a run keeps and wherever an event is shown.
const RemovedSecret = "[removed after the run]"

var removedJSON = json.RawMessage(`"` + RemovedSecret + `"`)

// WithoutSecrets returns the event without secrets, as it may stay on disk and be shown, and whether it differs from e. What may be a secret is
// removed too.
func (e Event) WithoutSecrets() (Event, bool) {
	if e.Callback != WorkloadDeployedCallback {
		return e, false
	}
	// Not decoded into the DTO, so that fields that only a newer controller knows stay too.
	clean, err := editObject(e.Argument, func(name string, value json.RawMessage) json.RawMessage {
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
		return Event{Callback: e.Callback, Argument: json.RawMessage(`"[not readable, removed after the run]"`)}, true
	}
	before := &bytes.Buffer{}
	err = json.Compact(before, e.Argument)
	return Event{Callback: e.Callback, Argument: clean}, err != nil || !bytes.Equal(clean, before.Bytes())
}

// withoutSecretValues replaces the secret values in the list of overrides.
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

// withoutUserAndQuery hides user and query in a URL, and removes the fragment: the query may hold a signature, and an earlier version has kept events
// whose URL holds a password.
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

// editObject returns a JSON object with each value replaced by what edit returns, also the values of a name that occurs more than once, of which a
// map would keep only the last.
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

// eachMember calls f with each name and value of a JSON object, also if a name occurs more than once. It returns the first error.
func eachMember(object json.RawMessage, f func(name string, value json.RawMessage) error) error {
	decoder := json.NewDecoder(bytes.NewReader(object))
	if begin, err := decoder.Token(); err != nil || begin != json.Delim('{') {
		return errors.New("it is not a JSON object")
	}
	for decoder.More() {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // the decoder accepts only strings as names
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			return err
		}
		if err := f(name, value); err != nil {
			return err
		}
	}
	if _, err := decoder.Token(); err != nil {
		return err
	}
	if _, err := decoder.Token(); err != io.EOF {
		return errors.New("something follows the JSON object")
	}
	return nil
}
