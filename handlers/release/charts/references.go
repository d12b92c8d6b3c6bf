package charts

import (
	"fmt"
	"net/url"
	"strings"

	"octo-operator/handlers/release/repository"
)

// When helm validates values, it reads each document to which a values.schema.json refers: over HTTP from any address, inside the cluster
// too, after any redirect; and from its own disk, because to helm the schema is the file /values.schema.json, whatever else the chart
// contains. So a schema that refers to something outside itself is refused, unless a setting allows the address.

// schemaReference is a reference in a schema to something outside it.
type schemaReference struct {
	file    string // of the chart
	keyword string // $ref, $schema, …
	text    string // as written there
	address string // what helm would read
	web     bool   // helm would ask there over HTTP
}

// checkReferences returns an error if one of the references leads to an address that OPERATOR__ALLOWEDSCHEMAS does not allow.
func checkReferences(references []schemaReference, allowed []string) error {
	for _, r := range references {
		if address, err := url.Parse(r.address); err == nil && repository.BeginsWithOne(allowed, address) {
			continue
		}
		return refusedReference(r)
	}
	return nil
}

// refusedReference says what is wrong with a reference, and what to do.
func refusedReference(r schemaReference) error {
	const remedy = "put what it refers to into the schema itself, below $defs"
	text := r.text
	if strings.Contains(text, "://") {
		text = repository.Shown(text)
	}
	if !r.web {
		return fmt.Errorf("its %.200s refers with %s to %.200q, which is no document that helm may read (it reads none of the chart's other files): %s",
			r.file, r.keyword, text, remedy)
	}
	return fmt.Errorf("its %.200s refers with %s to %.200q, where helm would ask by itself: %s, or name the address in OPERATOR__ALLOWEDSCHEMAS",
		r.file, r.keyword, repository.Shown(r.address), remedy)
}
