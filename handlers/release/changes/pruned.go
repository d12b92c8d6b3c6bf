package changes

// Without removes from made, in place, what a chart declared before and no longer declares. It is for releases that helm applies on the
// client's side: the dry run, a server-side apply, keeps fields that it never owned. Lists are compared by the names of their items.
func Without(made, before, now map[string]any) {
	for key, was := range before {
		is, still := now[key]
		if !still {
			delete(made, key)
			continue
		}
		switch was := was.(type) {
		case map[string]any:
			isMap, _ := is.(map[string]any)
			madeMap, _ := made[key].(map[string]any)
			if isMap != nil && madeMap != nil {
				Without(madeMap, was, isMap)
			}
		case []any:
			isList, _ := is.([]any)
			if madeList, ok := made[key].([]any); ok {
				made[key] = withoutItems(madeList, byName(was), byName(isList))
			}
		}
	}
}

func withoutItems(made []any, before, now map[string]map[string]any) []any {
	kept := make([]any, 0, len(made))
	for _, item := range made {
		object, _ := item.(map[string]any)
		name, _ := object["name"].(string)
		was, is := before[name], now[name]
		switch {
		case was != nil && is == nil:
			continue
		case was != nil:
			Without(object, was, is)
		}
		kept = append(kept, item)
	}
	return kept
}

func byName(list []any) map[string]map[string]any {
	items := map[string]map[string]any{}
	for _, item := range list {
		object, _ := item.(map[string]any)
		if name, is := object["name"].(string); is {
			items[name] = object
		}
	}
	return items
}
