package journal

import (
	"strings"
	"testing"

	"octo-operator/hub"
)

func TestAPasswordIsReadableOnlyWithTheKey(t *testing.T) {
	event := hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(`{"RepositoryPassword":"pw-1","futureField":[1],"values":[{"value":"kept"}]}`)}
	for _, test := range []struct{ name, key, later, want string }{
		{"the same key", "k1", "k1", "pw-1"},
		{"another key", "k1", "k2", LostPassword},
		{"the key is gone", "k1", "", LostPassword},
		{"never a key", "", "", LostPassword},
		{"a key too late", "", "k1", LostPassword},
	} {
		box, err := sealed(event, test.key)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(box.Argument), "pw-1") {
			t.Errorf("%s: sealed as %s", test.name, box.Argument)
		}
		got := string(unsealed(box, test.later).Argument)
		if !strings.Contains(got, `"RepositoryPassword":"`+test.want+`"`) || !strings.Contains(got, `"futureField":[1]`) || !strings.Contains(got, `"kept"`) {
			t.Errorf("%s: got %s, want the password %s", test.name, got, test.want)
		}
	}
}

func TestAnEventWithoutAPasswordStaysAsItIs(t *testing.T) {
	for _, argument := range []string{`{}`, `{"repositoryPassword":null}`, `{"repositoryPassword":""}`, `"text"`, `[]`} {
		event := hub.Event{Callback: hub.WorkloadDeployedCallback, Argument: []byte(argument)}
		box, err := sealed(event, "k")
		if got := unsealed(box, "k"); err != nil || string(got.Argument) != argument {
			t.Errorf("%s became %s, %v", argument, got.Argument, err)
		}
	}
}
