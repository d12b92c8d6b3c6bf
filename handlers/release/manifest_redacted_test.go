package release

import (
	"encoding/base64"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"octo-operator/exec"
	"octo-operator/hub"
)

func TestWhatIsSecretLeavesTheManifestWhenTheRunEnds(t *testing.T) {
	task := runTask(t)
	task.Redact = exec.NewRedactor("of-the-event")
	text := manifest + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: copy}\ndata: {a: planted-secret, b: of-the-event, c: open}\n"
	if err := task.Write(ManifestFile, []byte(text)); err != nil {
		t.Fatal(err)
	}
	RedactManifest(task)
	kept, err := os.ReadFile(task.Path(ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"planted-secret", "cGxhbnRlZC1zZWNyZXQ", "of-the-event"} {
		if strings.Contains(string(kept), secret) {
			t.Errorf("%s is still there:\n%s", secret, kept)
		}
	}
	for _, rest := range []string{hub.RemovedSecret, "open", "kind: Deployment"} {
		if !strings.Contains(string(kept), rest) {
			t.Errorf("%s is gone:\n%s", rest, kept)
		}
	}
}

func TestAManifestInWhichNobodyCanTellWhatIsSecretGoes(t *testing.T) {
	task := runTask(t)
	if err := task.Write(ManifestFile, []byte("kind: Secret\ndata: {a: [")); err != nil {
		t.Fatal(err)
	}
	RedactManifest(task)
	if task.Has(ManifestFile) {
		t.Error("it is still there")
	}
	RedactManifest(task) // of a run that has made none
	if task.Has(ManifestFile) {
		t.Error("it is back")
	}
}

// TestALargeKeystoreInAChartIsKeptOut: its base64 does not count too, or the largest Secrets that Kubernetes takes would be too long.
func TestALargeKeystoreInAChartIsKeptOut(t *testing.T) {
	task := runTask(t)
	keystore := make([]byte, 1<<20)
	rand.NewChaCha8([32]byte{}).Read(keystore)
	inBase64 := base64.StdEncoding.EncodeToString(keystore)
	text := manifest + "---\nkind: Secret\nmetadata: {name: keystore}\ndata:\n  store: " + inBase64 + "\n---\nkind: ConfigMap\nmetadata: {name: copy}\nbinaryData:\n  store: " + inBase64 + "\n"
	if err := task.Write(ManifestFile, []byte(text)); err != nil {
		t.Fatal(err)
	}
	RedactManifest(task)
	kept, err := os.ReadFile(task.Path(ManifestFile))
	if err != nil || strings.Contains(string(kept), inBase64[:100]) || !strings.Contains(string(kept), "name: copy") {
		t.Errorf("%.500s, %v", kept, err)
	}
}
