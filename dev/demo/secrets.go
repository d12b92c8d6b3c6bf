package main

import (
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The secrets of the story. They must not be found anywhere but in the cluster's Secrets.
const (
	brokerPassword = "demo-broker-password-4711"
	apiKey         = "demo-api-key-0815"
	dbPassword     = "demo-db-password-1234"
)

// findSecrets must be called while no event runs: during a deploy, its run directory has the manifest with the secrets.
func (d *demo) findSecrets() error {
	texts, err := readTree(d.operator.stateDir)
	if err != nil {
		return fmt.Errorf("cannot search the state directory: %w", err)
	}
	files := len(texts)
	texts["the operator's log"] = d.operator.text()
	for _, call := range d.controller.Calls() {
		texts["what the controller was told"] += call.String() + fmt.Sprintf("%s", call.Args)
	}
	if texts["the release's values"], err = d.get("helm", "get", "values", "--all", d.shopRun.release()); err != nil {
		return err
	}
	for name, text := range texts {
		for _, secret := range []string{brokerPassword, apiKey, dbPassword} {
			if strings.Contains(text, secret) || strings.Contains(text, base64.StdEncoding.EncodeToString([]byte(secret))) {
				return fmt.Errorf("the secret %s is in %s", secret, name)
			}
		}
	}
	note(fmt.Sprintf("The demo has searched for its 3 secrets, as plain text and as base64. They are in none of the %d files of "+
		"the operator's state directory, not in its log, not in the release's values, not in what the controller "+
		"was told. They are in the Secrets in the cluster, whose keys are shown above.", files))
	return nil
}

// readTree reads every file below dir.
func readTree(dir string) (map[string]string, error) {
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		files[path] = string(text)
		return err
	})
	return files, err
}
