// Package rule reads rule files into checked rules.
//
// It stands between the files that people write and match and engine, which work on what is checked here:
//
//	rules, problems := rule.Parse("rules/oci/iam/oci-iam-user-created.yaml", data, rule.Options{})
//	if err := problems.Err(); err != nil { ... } // every mistake of the file, each as file:line:column: text
//
// What it returns cannot be wrong inside: conditions are trees, durations are durations, expressions are parsed,
// and every name in them is a field of the catalog, a component of the key or a pattern of the rule.
//
// # How `match` compares
//
// A selection is Sigma's: a mapping is AND, a list of mappings OR, a list of values OR (AND with `|all`).
//
//   - Texts are compared without case, unless `|cased` stands behind the field. `|re` is cased, unless `|re|i` is written.
//   - `*` and `?` are wildcards in every text but a regular expression; `\*`, `\?` and `\\` are the characters themselves.
//   - A value is compared by its text: 400 matches the number 400 and the text "400", and so does '400'.
//     `|lt`, `|lte`, `|gt` and `|gte` compare as numbers, also texts that are numbers.
//   - An array matches when one of its elements does.
//   - A field is null where it is absent, null, or an array without elements. A null field matches `null` and `|exists: false` only,
//     and no other value; the empty text is not null. So `not` of a condition (in a `detection`) holds for a null field.
//   - `|expand: '%name%'` looks the value up in a list file, in which wildcards and networks count; a list that is not there holds nothing.
//   - `|neq` holds where the comparison does not, so also for a null field; a list of values then means none of them.
//   - `|minute`, `|hour`, `|day`, `|week` (ISO 8601), `|month` and `|year` compare a part of a time, in UTC; what is no time passes none.
//   - A text without a field (a keyword) passes where it stands in any text of the record, or of the document where there is no record.
//
// Expressions (`let`, `where`, `having`, titles) are stricter: they compare by type and exact value, and null is as in SQL; see package expr.
// A table (`lookup`, `lookup_has`) is read when an event is matched: what was read then is kept, and a change of the table changes nothing before it.
//
// # Names in expressions
//
// A component of the key goes before a name of `let`, that before a pattern (`fail.user.name`), and that before a field.
// A key's component can be named in `having`, titles, responses and attributes; an aggregate only there.
package rule

import (
	"fmt"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/expr"
)

// Rule is one checked rule.
type Rule struct {
	ID             string
	Title          string
	Status         Status
	Severity       Severity
	Category       string
	Description    string
	Author         string
	Date           string
	Modified       string
	License        string
	References     []string
	Tags           []string
	DataSources    []string
	FalsePositives []string
	// Response says what the analyst does next.
	Response []*Template
	// Labels are copied to the incident and to the metadata of its message.
	Labels map[string]string
	Scope  Scope
	// Window is W; 0 only where every step of When has its own `within`.
	Window time.Duration
	// Patterns are in the order of the file. A rule with one `match` has one pattern named "match".
	Patterns []*Pattern
	// When is the condition over the patterns; never nil.
	When Node
	// KeyNames are the aliases that every pattern's GroupBy gives a value for, in the order of the file. May be empty.
	KeyNames []string
	// FirstSeen asks for a value that the key did not have before; nil where there is none. Its rule has one pattern.
	FirstSeen *FirstSeen
	Incident  Incident
	// Exceptions drop events before they are counted.
	Exceptions []Exception
	// Enabled is false where an override switched the rule off.
	Enabled bool
	// Pos is where the rule begins in its file.
	Pos Position
	// StateHash changes whenever a change of the rule makes saved state meaningless
	// (patterns, keys, window, condition), and does not when only words change.
	StateHash string
}

// Pattern is one named set of events.
type Pattern struct {
	Name string
	// Incidents are ids or globs of rules whose incidents the pattern takes; nil for a pattern of events.
	// A pattern takes either: events never meet a pattern with Incidents, and incidents none without.
	// An incident comes as an event: its id is the incident's, its time that of the first firing, its document Incident.OCSF.
	// It comes once, when the watermark has passed that time and so nothing can make the firing an earlier one.
	// See Chain for the order, and match.Set.MatchIncident for the hits.
	Incidents []string
	Match     Condition
	// Let are named values of the pattern's event, in order; later ones may use earlier ones.
	Let []Binding
	// Where is judged on the pattern's event alone; nil where there is none.
	Where *expr.Expr
	// JoinWhere names fields of earlier patterns; it is judged when the patterns are joined. nil where there is none.
	JoinWhere *expr.Expr
	// Having is judged over the pattern's events in a window; nil means count() >= 1.
	Having *expr.Expr
	// GroupBy has one entry for each of the rule's KeyNames, in the same order.
	GroupBy []Key
	Tags    []string
	// Captures are the expressions over this pattern's event whose values anything outside the event needs:
	// arguments of aggregates, joins, templates, attributes. Their canonical text (Expr.String) is the key.
	Captures []*expr.Expr
	Pos      Position
}

// Binding names the value of an expression.
type Binding struct {
	Name string
	Expr *expr.Expr
}

// Key is one component of a group's key: the first of its expressions (fields or let names) that is not null.
type Key struct {
	Alias string
	From  []*expr.Expr
}

// FirstSeen lets an event of the rule's one pattern through only if no event of its key with the same value
// lies before it in (t-Within, t). It is judged when the watermark has passed t.
type FirstSeen struct {
	// Value is one of the pattern's Captures.
	Value  *expr.Expr
	Within time.Duration
	// Learn is how much history the rule must have seen before it fires.
	Learn time.Duration
}

// Incident says how the rule's incidents look.
type Incident struct {
	Title      *Template
	Attributes []Attribute
	// Per is the length of a slot on the UTC grid; at most one incident per rule, key and slot.
	Per time.Duration
	// UpdateEvery is the least event time between two messages of one incident; 0 where the processor's own counts.
	// It chooses which messages leave, never which incidents exist.
	UpdateEvery time.Duration
	// CloseOn is a condition over the rule's patterns, as When, that closes the key's open incident; nil where there is none.
	//
	// A closing of a rule and key is a time c at which CloseOn holds. It is judged as When is: at the times of events that match
	// one of its positive patterns, over (c-W, c], but always when the watermark has passed c: what was closed is not taken back.
	// An incident is closed by the earliest closing that is not before its last firing; at the same time the firing counts as
	// the earlier one. A closing before the first firing, or of a key without an incident, does nothing. A firing after the
	// closing reopens the incident by an Update, and it can be closed again; when the slot is over it is closed for good.
	// Patterns that only CloseOn names add nothing to count, first, last and evidence, and can fire nothing.
	CloseOn Node
	// CloseAfter closes an incident when its rule and key have not fired for so long: at its last firing + CloseAfter,
	// once the watermark has passed that. 0 where there is none. It reopens as after CloseOn.
	CloseAfter time.Duration
}

// Attribute is one named value of an incident.
type Attribute struct {
	Name string
	Expr *expr.Expr
}

// Exception drops the events that Match accepts, at the times at which it holds.
type Exception struct {
	Reason string
	// From is event.MinTime where there is no beginning, Until event.MaxTime where there is no end.
	From, Until event.Time
	// Schedule has the times of the week, of which one must hold; nil for all times.
	Schedule []Schedule
	Match    Condition
}

// Holds says whether the exception counts at t: the time of an event, never that of a clock.
func (e *Exception) Holds(t event.Time) bool {
	if t < e.From || t >= e.Until {
		return false
	}
	for _, s := range e.Schedule {
		if s.Holds(t) {
			return true
		}
	}
	return e.Schedule == nil
}

// Scope says over which events a key is counted.
type Scope string

// Scopes.
const (
	ScopeTenant Scope = "tenant" // keys never cross tenancies
	ScopeAll    Scope = "all"
)

// Status is the maturity of a rule.
type Status string

// Statuses, in Sigma's words.
const (
	StatusExperimental Status = "experimental"
	StatusTest         Status = "test"
	StatusStable       Status = "stable"
	StatusDeprecated   Status = "deprecated"
)

// Severity of a rule's incidents.
type Severity string

// Severities, lowest first.
const (
	SeverityInformational Severity = "informational"
	SeverityLow           Severity = "low"
	SeverityMedium        Severity = "medium"
	SeverityHigh          Severity = "high"
	SeverityCritical      Severity = "critical"
)

// Position is a place in a file; lines and columns count from 1.
type Position struct {
	File   string
	Line   int
	Column int
}

// String gives the position as file:line:column.
func (p Position) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }
