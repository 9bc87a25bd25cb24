package rule

import (
	"encoding/json"
	"fmt"
	"maps"
)

// JSONSchema gives the JSON Schema of rule files, for editors. It is made of the same tables that the reader uses.
func JSONSchema() []byte {
	schema := object(ruleKeys, "id", "title", "severity")
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["title"] = "A rule of benthos-oci"
	schema["anyOf"] = []any{required("match"), required("detection"), required("incidents"), required("patterns")}
	scalar := map[string]any{"type": []string{"string", "number", "boolean", "null"}}
	values := map[string]any{"oneOf": []any{scalar, listOf(scalar)}}
	one := map[string]any{"type": "object", "minProperties": 1, "additionalProperties": values}
	field := map[string]any{"oneOf": []any{ofType("string"), listOf(ofType("string"))}}
	condition := map[string]any{"oneOf": []any{ofType("string"), listOf(ofType("string"))}}
	schema["$defs"] = map[string]any{
		"duration":   map[string]any{"type": "string", "pattern": `^([0-9.]+(ms|s|m|h|d|w))+$`},
		"selection":  map[string]any{"oneOf": []any{one, ofType("string"), listOf(map[string]any{"oneOf": []any{one, ofType("string"), ofType("number")}})}},
		"detection":  map[string]any{"type": "object", "required": []string{"condition"}, "properties": map[string]any{"condition": condition}, "additionalProperties": reference("selection")},
		"bindings":   map[string]any{"type": "object", "additionalProperties": map[string]any{"type": []string{"string", "number", "boolean"}}},
		"group_by":   map[string]any{"oneOf": []any{listOf(ofType("string")), map[string]any{"type": "object", "additionalProperties": field}}},
		"pattern":    object(patternKeys),
		"incident":   object(incidentKeys),
		"first_seen": object(firstSeenKeys, "value", "within"),
		"exception":  object(exceptionKeys, "reason"),
		"schedule":   object(scheduleKeys),
		"closing":    object(closeKeys),
		"names":      field,
	}
	text, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("the schema of rules is not JSON: %v", err)) // a mistake in this file, not in input
	}
	return append(text, '\n')
}

// object gives the schema of a mapping with these keys and no others.
func object(keys []key, needed ...string) map[string]any {
	properties := make(map[string]any, len(keys))
	for _, k := range keys {
		property := map[string]any{"description": k.meaning}
		maps.Copy(property, k.schema)
		properties[k.name] = property
	}
	schema := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(needed) > 0 {
		schema["required"] = needed
	}
	return schema
}

func required(name string) map[string]any { return map[string]any{"required": []string{name}} }
