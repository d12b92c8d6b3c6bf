package release

import (
	"fmt"

	"octo-operator/merge"
)

// RedactOrigins removes known secrets from the origins of values, in place: a plain value may hold a password too.
func RedactOrigins(origins []merge.Origin, redact func(string) string) {
	for i := range origins {
		o := &origins[i]
		o.Value = redacted(o.Value, redact)
		if o.Coerced != nil {
			o.Coerced.Text = redact(o.Coerced.Text)
		}
		for r := range o.Replaced {
			o.Replaced[r].Value = redacted(o.Replaced[r].Value, redact)
		}
	}
}

// redacted copies a value without what is known to be secret. Not its JSON: a secret that is the word true would make it no JSON any longer.
func redacted(v any, redact func(string) string) any {
	switch v := v.(type) {
	case string:
		return redact(v)
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, child := range v {
			out[redact(key)] = redacted(child, redact)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, child := range v {
			out[i] = redacted(child, redact)
		}
		return out
	case bool, nil:
		return v
	}
	if number := fmt.Sprint(v); len(number) >= shortestNumber {
		if shown := redact(number); shown != number {
			return shown
		}
	}
	return v
}

// shortestNumber is in digits: a count of replicas is no secret, and a port or a code may be one.
const shortestNumber = 4
