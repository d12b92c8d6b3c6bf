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

// LostPassword replaces a repository's password in an event whose password could not be restored.
const LostPassword = "[lost with the operator's pod]"

const sealedPrefix = "sealed:"

// sealed returns an event as it may be stored in the cluster. The values of its secret overrides stay, because the release's own Secret
// in the same namespace holds them in the clear as well. The password of the chart's repository is nowhere else in the cluster, so it is
// encrypted with a key that, as far as the operator knows, is not there either; without a key it is left out.
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

// unsealed returns the event as it came, with LostPassword if its password cannot be decrypted.
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

// withPassword changes an event's repositoryPassword, if there is one. All other fields stay as they are, even invalid ones.
func withPassword(event hub.Event, change func(string) (string, error)) (hub.Event, error) {
	if event.Callback != hub.WorkloadDeployedCallback {
		return event, nil
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(event.Argument, &fields) != nil {
		return event, nil // not an object: its handler reports that
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
		fields[name], _ = json.Marshal(changed) // cannot fail for a string
	}
	argument, err := json.Marshal(fields)
	return hub.Event{Callback: event.Callback, Argument: argument}, err
}
