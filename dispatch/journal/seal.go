package journal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"octo-operator/hub"
)

// LostPassword stands in an event for a repository's password that did not survive.
const LostPassword = "[lost with the operator's pod]"

const sealedPrefix = "sealed:"

// sealed is an event as it may lie in the cluster. The values of its secret overrides may: the release's own Secret, in the
// same namespace, holds them in the clear as well. The password of the chart's repository is nowhere else in the cluster, so it is
// sealed with a key that is not there either, as far as the operator knows, or left out.
func sealed(event hub.Event, key string) (hub.Event, error) {
	return withPassword(event, func(password string) (string, error) {
		if key == "" {
			return LostPassword, nil
		}
		box, err := boxFor(key)
		if err != nil {
			return "", err
		}
		return sealedPrefix + base64.StdEncoding.EncodeToString(box.Seal(nil, nil, []byte(password), nil)), nil
	})
}

// unsealed is the event as it came; with LostPassword where that cannot be had.
func unsealed(event hub.Event, key string) hub.Event {
	event, _ = withPassword(event, func(text string) (string, error) {
		if password, err := unseal(text, key); err == nil {
			return password, nil
		}
		return LostPassword, nil
	})
	return event
}

func unseal(text, key string) (string, error) {
	text, ok := strings.CutPrefix(text, sealedPrefix)
	if !ok || key == "" {
		return "", errors.New("not sealed")
	}
	packed, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return "", err
	}
	box, err := boxFor(key)
	if err != nil {
		return "", err
	}
	password, err := box.Open(nil, nil, packed, nil)
	return string(password), err
}

func boxFor(key string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, []byte(key), nil, "octo-operator journal", 32)
	if err != nil {
		return nil, fmt.Errorf("cannot derive a key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("cannot use the key: %w", err)
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// withPassword changes an event's repositoryPassword, if there is one. Everything else stays, whatever it is.
func withPassword(event hub.Event, change func(string) (string, error)) (hub.Event, error) {
	if event.Callback != hub.WorkloadDeployedCallback {
		return event, nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(event.Argument, &fields) != nil {
		return event, nil // not an object: its handler will say so
	}
	for name, value := range fields {
		var password string
		if !strings.EqualFold(name, "repositoryPassword") || json.Unmarshal(value, &password) != nil || password == "" {
			continue
		}
		changed, err := change(password)
		if err != nil {
			return event, err
		}
		fields[name], _ = json.Marshal(changed) // text: it cannot fail
	}
	argument, err := json.Marshal(fields)
	return hub.Event{Callback: event.Callback, Argument: argument}, err
}
