package release

import (
	"octo-operator/exec"
	"octo-operator/merge"
)

// RedactOrigins removes known secrets from the origins of values, in place: a plain value may hold a password too.
func RedactOrigins(origins []merge.Origin, secrets *exec.Redactor) {
	for i := range origins {
		o := &origins[i]
		o.Value = redacted(o.Value, secrets)
		if o.Coerced != nil {
			o.Coerced.Text = secrets.String(o.Coerced.Text)
		}
		for r := range o.Replaced {
			o.Replaced[r].Value = redacted(o.Replaced[r].Value, secrets)
		}
	}
}

// redacted copies a value without what is known to be secret. Not its JSON: a secret that is the word true would make it no JSON any longer.
func redacted(v any, secrets *exec.Redactor) any {
	switch v := v.(type) {
	case string:
		return secrets.String(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[secrets.String(key)] = redacted(child, secrets)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = redacted(child, secrets)
		}
		return out
	}
	return v
}
