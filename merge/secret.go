package merge

import (
	"crypto/sha256"
	"fmt"
	"regexp"
	"strings"
)

// Kubernetes' limits for the keys of a Secret.
const maxSecretKey = 253

var (
	secretKey         = regexp.MustCompile(`^[-._a-zA-Z0-9]+$`)
	notInSecretKeyRun = regexp.MustCompile(`[^-._a-zA-Z0-9]+`)
)

// secretKeyOf returns the key of a secret override in the release's Secret: its path, when that is a valid key.
//
// For any other path (a.b[0].c, one with \. or a space, one longer than 253 characters) the key is made of the path's valid characters,
// with _ for each run of others, cut to 236, followed by - and the first 16 hex digits of the path's SHA-256:
//
//	a.b[0].c -> a.b_0_.c-efd164c88d7589dc
//
// The hash keeps paths apart that would look alike, and makes the key the same in each deploy.
func secretKeyOf(path string) string {
	if secretKey.MatchString(path) && len(path) <= maxSecretKey && !strings.HasPrefix(path, "..") {
		return path
	}
	hash := fmt.Sprintf("-%x", sha256.Sum256([]byte(path)))[:17]
	readable := strings.TrimLeft(notInSecretKeyRun.ReplaceAllString(path, "_"), ".") // a key may not begin with ..
	return readable[:min(len(readable), maxSecretKey-len(hash))] + hash
}

// secretReference returns what stands in the document in place of a secret.
func secretReference(name, key string) map[string]any {
	return map[string]any{"valueFrom": map[string]any{"secretKeyRef": map[string]any{"name": name, "key": key}}}
}

// secretKeyAt returns the key if v is, or still contains, a reference to the Secret with this name.
func secretKeyAt(v any, name string) (key string, ok bool) {
	ref, ok := get(v, Path{{Name: "valueFrom"}, {Name: "secretKeyRef"}})
	if !ok {
		return "", false
	}
	fields, ok := ref.(map[string]any)
	if !ok || fields["name"] != name {
		return "", false
	}
	key, ok = fields["key"].(string)
	return key, ok
}

// survivingSecrets returns the secrets that the document still refers to. A later override may have replaced a secret, or a map around
// it, and a secret that nobody uses should not be in the cluster.
func survivingSecrets(values map[string]any, name string, assignments []assignment) map[string]string {
	secrets := map[string]string{}
	for _, a := range assignments {
		if a.key == "" {
			continue
		}
		at, _ := get(values, a.path)
		if key, ok := secretKeyAt(at, name); ok && key == a.key {
			secrets[a.key] = a.plain
		}
	}
	return secrets
}
