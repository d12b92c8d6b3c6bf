package devcontroller

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Message types of the SignalR hub protocol.
const (
	typeInvocation       = 1
	typeStreamItem       = 2
	typeCompletion       = 3
	typeStreamInvocation = 4
	typeCancelInvocation = 5
	typePing             = 6
	typeClose            = 7
)

// separator ends each message in a stream of them.
const separator = 0x1e

var (
	pingFrame      = []byte(`{"type":6}` + "\x1e")
	handshakeFrame = []byte("{}\x1e")
)

// message is a hub message from the operator.
type message struct {
	Type         int
	InvocationID string
	Target       string
	Arguments    []json.RawMessage
	Error        string
}

// dotnetError is an exception of the real server: its class name reaches the client.
type dotnetError struct{ Class, Text string }

func (e dotnetError) Error() string { return e.Class + ": " + e.Text }

func invalidData(format string, args ...any) error {
	return dotnetError{"InvalidDataException", fmt.Sprintf(format, args...)}
}

func hubException(format string, args ...any) error {
	return dotnetError{"HubException", fmt.Sprintf(format, args...)}
}

// explain is ASP.NET's ErrorMessageHelper: details go out when they are enabled, and always
// for a HubException, which is meant for the client.
func explain(prefix string, err error, hideDetails bool) string {
	var known dotnetError
	if !errors.As(err, &known) {
		known = dotnetError{"HubException", err.Error()}
	}
	if hideDetails && known.Class != "HubException" {
		return prefix
	}
	return prefix + " " + known.Error()
}

// parseMessage reads one message without its separator. An error is a violation of the
// protocol: the connection ends with it.
func parseMessage(frame []byte) (message, error) {
	if !json.Valid(frame) {
		return message{}, invalidData("Error reading JSON.")
	}
	// A map, because ASP.NET matches these names exactly and a Go struct would not.
	var properties map[string]json.RawMessage
	if err := json.Unmarshal(frame, &properties); err != nil || properties == nil {
		return message{}, invalidData("Unexpected JSON Token Type '%s'. Expected a JSON Object.", tokenName(frame))
	}
	var m message
	for _, property := range []struct {
		name string
		kind string
		into any
	}{
		{"type", "Number", &m.Type},
		{"invocationId", "String", &m.InvocationID},
		{"target", "String", &m.Target},
		{"error", "String", &m.Error},
		{"arguments", "Array", &m.Arguments},
		{"streamIds", "Array", new([]json.RawMessage)},
		{"headers", "StartObject", new(map[string]json.RawMessage)},
	} {
		raw, present := properties[property.name]
		if !present {
			continue
		}
		// null is no string to ASP.NET either: {"invocationId":null} ends the connection.
		if string(raw) == "null" || json.Unmarshal(raw, property.into) != nil {
			return message{}, invalidData("Expected '%s' to be of type %s.", property.name, property.kind)
		}
	}
	return m, requireProperties(m, properties)
}

func requireProperties(m message, properties map[string]json.RawMessage) error {
	has := func(name string) bool { _, ok := properties[name]; return ok }
	require := func(name string, there bool) error {
		if there {
			return nil
		}
		return invalidData("Missing required property '%s'.", name)
	}
	withID := require("invocationId", m.InvocationID != "")
	if !has("type") {
		return require("type", false)
	}
	switch m.Type {
	case typeInvocation:
		return firstError(require("target", m.Target != ""), require("arguments", has("arguments")))
	case typeStreamInvocation:
		return firstError(withID, require("arguments", has("arguments")), require("target", m.Target != ""))
	case typeStreamItem:
		return firstError(withID, require("item", has("item")))
	case typeCompletion:
		if withID == nil && has("error") && has("result") {
			return invalidData("The 'error' and 'result' properties are mutually exclusive.")
		}
		return withID
	case typeCancelInvocation:
		return withID
	}
	return nil
}

// firstError keeps ASP.NET's order of complaints.
func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// tokenName names the kind of a JSON value as ASP.NET prints it.
func tokenName(value []byte) string {
	value = bytes.TrimSpace(value)
	switch {
	case len(value) == 0:
		return "None"
	case value[0] == '[':
		return "Array"
	case value[0] == '"':
		return "String"
	case value[0] == 't', value[0] == 'f', value[0] == 'n':
		return string(value[0]-'a'+'A') + string(value[1:])
	}
	return "Number"
}

// invocationFrame is a call of the operator: without an id, since no answer is awaited.
func invocationFrame(target string, args []any) ([]byte, error) {
	if args == nil {
		args = []any{}
	}
	return frame(struct {
		Type      int    `json:"type"`
		Target    string `json:"target"`
		Arguments []any  `json:"arguments"`
	}{typeInvocation, target, args})
}

func errorCompletion(invocationID, text string) []byte {
	return mustFrame(map[string]any{"type": typeCompletion, "invocationId": invocationID, "error": text})
}

// resultFrame answers a call. A method without a result answers null, as ASP.NET does.
func resultFrame(invocationID string, result any) ([]byte, error) {
	return frame(map[string]any{"type": typeCompletion, "invocationId": invocationID, "result": result})
}

func closeFrame(text string, allowReconnect bool) []byte {
	return mustFrame(struct {
		Type           int    `json:"type"`
		Error          string `json:"error,omitempty"`
		AllowReconnect bool   `json:"allowReconnect,omitempty"`
	}{typeClose, text, allowReconnect})
}

func frame(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false) // ASP.NET writes <, > and & as they are, and + too
	if err := encoder.Encode(value); err != nil {
		return nil, err
	}
	encoded := buffer.Bytes()
	encoded[len(encoded)-1] = separator // in place of Encode's newline
	return encoded, nil
}

// mustFrame is for values of strings, numbers and booleans only, which always encode.
func mustFrame(value any) []byte {
	encoded, err := frame(value)
	if err != nil {
		panic(err)
	}
	return encoded
}
