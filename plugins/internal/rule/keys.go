package rule

// key is one key of a mapping in a rule file: what the reader knows, and what the JSON Schema and its documentation say.
type key struct {
	name string
	// meaning is one sentence.
	meaning string
	// schema is the JSON Schema of the value.
	schema map[string]any
}

func keyNames(keys []key) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = k.name
	}
	return names
}

func ofType(t string) map[string]any { return map[string]any{"type": t} }

func listOf(item map[string]any) map[string]any {
	return map[string]any{"type": "array", "items": item}
}

func oneOf(words []string) map[string]any { return map[string]any{"enum": words} }

func reference(name string) map[string]any { return map[string]any{"$ref": "#/$defs/" + name} }

// ruleKeys are the keys of a rule, in the order in which a file has them.
var ruleKeys = []key{
	{"id", "The rule's name, which is also its file's: lower-case letters, digits, - and _.", map[string]any{"type": "string", "pattern": idPattern.String()}},
	{"title", "The deed, in a few words.", ofType("string")},
	{"status", "How mature the rule is.", oneOf(statuses)},
	{"severity", "The severity of its incidents.", oneOf(severities)},
	{"category", "The category of its incidents, as `security`.", ofType("string")},
	{"description", "What it detects; begins with `Detects`.", ofType("string")},
	{"author", "Who wrote it.", ofType("string")},
	{"date", "The day it was written.", ofType("string")},
	{"modified", "The day it was last changed.", ofType("string")},
	{"license", "The license of the rule, as an SPDX identifier.", ofType("string")},
	{"references", "Where to read more.", listOf(ofType("string"))},
	{"tags", "Sigma's tags: attack.persistence, attack.t1098.001, cis.oci.4.7.", listOf(ofType("string"))},
	{"data_sources", "The inputs whose events it needs.", listOf(ofType("string"))},
	{"falsepositives", "What else may look like this.", listOf(ofType("string"))},
	{"response", "What the analyst does next; {expressions} are put in.", listOf(ofType("string"))},
	{"labels", "Copied to the incident and to its message's metadata, for routing.", map[string]any{"type": "object", "additionalProperties": ofType("string")}},
	{"scope", "Whether keys stay within a tenancy (tenant) or not (all).", oneOf(scopes)},
	{"enabled", "False switches the rule off.", ofType("boolean")},
	{"window", "The length of time over which events are counted: 120s, 10m, 1h, 30d.", reference("duration")},
	{"group_by", "The fields whose values events are counted by, or alias: field or [field, fallback].", reference("group_by")},
	{"incidents", "The rules whose incidents it takes instead of events, by id or glob; `match` may choose among them.", reference("names")},
	{"match", "The events of a rule with one pattern: a Sigma selection.", reference("selection")},
	{"detection", "The same as a whole Sigma block of selections and a condition.", reference("detection")},
	{"let", "Names for expressions over one event.", reference("bindings")},
	{"where", "A condition over one event, with the names of `let`.", ofType("string")},
	{"having", "A condition over the events in the window: count() >= 5 and distinct(user.name) > 5.", ofType("string")},
	{"patterns", "Several patterns by name.", map[string]any{"type": "object", "additionalProperties": reference("pattern")}},
	{"when", "How the patterns belong together: and, or, not, then, within, parentheses.", ofType("string")},
	{"first_seen", "Only values that the key did not have before.", reference("first_seen")},
	{"incident", "What its incidents say.", reference("incident")},
	{"exceptions", "Events that do not count.", listOf(reference("exception"))},
}

var patternKeys = []key{
	{"incidents", "The rules whose incidents it takes instead of events, by id or glob; `match` may choose among them.", reference("names")},
	{"match", "The events of the pattern: a Sigma selection.", reference("selection")},
	{"detection", "The same as a whole Sigma block of selections and a condition.", reference("detection")},
	{"let", "Names for expressions over one event.", reference("bindings")},
	{"where", "A condition over one event; it may name fields of an earlier pattern, as in `after < reduced.before`.", ofType("string")},
	{"having", "A condition over the pattern's events in the window.", ofType("string")},
	{"group_by", "As in the rule, for this pattern only; every pattern has the same names.", reference("group_by")},
	{"tags", "Sigma's tags of this step.", listOf(ofType("string"))},
}

var incidentKeys = []key{
	{"title", "One line; {expressions} are put in.", ofType("string")},
	{"attributes", "Named values: expressions over the events.", reference("bindings")},
	{"per", "The length of a slot: at most one incident per rule, key and slot (default 24h).", reference("duration")},
	{"update_every", "The least time between two messages of one incident (default: the processor's).", reference("duration")},
	{"close_on", "What closes the incident: a condition over patterns, as `when`, or a pattern of its own. A firing after it reopens.", map[string]any{
		"oneOf": []any{ofType("string"), reference("closing")},
	}},
	{"close_after", "Closes the incident when it has not fired for so long.", reference("duration")},
}

var firstSeenKeys = []key{
	{"value", "The expression whose value must be new.", ofType("string")},
	{"within", "How long a value is remembered.", reference("duration")},
	{"learn", "How much history is needed before the rule speaks (default: within).", reference("duration")},
}

var exceptionKeys = []key{
	{"reason", "Why these events do not count.", ofType("string")},
	{"from", "The first day, or the time at which the exception begins.", ofType("string")},
	{"until", "The last day, or the time at which the exception ends.", ofType("string")},
	{"schedule", "Days and hours of the week at which it holds, by the time of the event.", map[string]any{
		"oneOf": []any{reference("schedule"), listOf(reference("schedule"))},
	}},
	{"match", "The events: a Sigma selection. It can be left out where there is a schedule, or from and until.", reference("selection")},
}
