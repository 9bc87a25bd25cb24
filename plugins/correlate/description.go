package correlate

// description is the prose of the component's documentation.
const description = `
Rules look for events, for so many of them in a window, for several in an order, or for what does not follow. An
incident is everything that a rule found for one key in one slot of time (a day by default): it has one id, and each
message of it a growing revision, so that an upsert by id is always right.

Messages may be raw records as the inputs deliver them, in any of Oracle's envelopes, or OCSF documents that an earlier
step has normalized. Those that no rule could match, judged by their type alone, are not decoded.

## What leaves

Every message says what it is in its metadata: ` + "`correlate_type`" + ` is ` + "`incident`, `event` or `late`" + `. Incidents also carry
` + "`incident_id`, `incident_revision`, `incident_action` (`create`, `update`, `close`), `incident_rule`, `incident_severity`, `oci_tenancy`" + `
and ` + "`incident_label_<name>`" + ` for each label of the rule. Their content is an OCSF Detection Finding. Events leave as they came.

A message that came with an error leaves untouched, whatever is forwarded; so does one that ` + "`event_mapping`" + ` fails on,
with the error. Send those to dead letters: ` + "`check: errored()`" + `.

## Delivery

Incidents are delivered at least once. An incident leaves in a message derived from the event that fired it, so the
event is acknowledged only when the incident is delivered. An event that comes again, after a rejection or a restart,
counts once, and sends its incidents again with the same id. What fires by time leaves with a tick of ` + "`correlate_source`" + `
and is kept until it is known to be delivered. Put inputs other than the oci inputs under ` + "`correlate_source`" + `: a rejection
that names single messages names the wrong ones behind this processor, and ` + "`correlate_source`" + ` has the whole batch come again.

## State

What a batch changed is saved before the batch moves on. Two processors that share a cache need labels of their own: rows
are kept under the label, so a changed label begins with empty state. With ` + "`bolt`" + ` a batch is one transaction; with other
caches rows are written one by one, in an order that a crash cannot harm. A key is read when an event or time touches it, so a
restart does not wait for the others.

Without ` + "`state_cache`" + ` state lives in memory, and a warning says so. Keys that nothing touches rest there in a compact form: a
million keys of one rule, with three counted events each, take 266 bytes a key once the watermark has passed them, and 616 while
it has not. Of that, a sixteenth of ` + "`max_memory`" + ` at most is the details of events for the evidence of incidents. The oldest ones
leave it first; an incident then names such an event by id and time only, and ` + "`correlate_evidence_lost`" + ` counts it.

## Changes of rules

Rule files, overrides and lists are read again when they change, at most every three seconds and while messages come. All
rules change at once; a rule that means the same keeps its windows, one that means something else begins anew. Where a
file has a mistake, all rules stay as they were, an error in the log says why, and ` + "`correlate_rules_failing`" + ` is 1.

## Floods

` + "`flood_guard`" + ` bounds the messages of incidents in a span of event time, for each tenancy apart. What it holds back is counted in
` + "`correlate_flood_held_total`" + `, and an incident of the rule ` + "`correlate-flood`" + ` says which rule fires too often and how many of its
messages are missing: with the first, the second, the fourth and so on. The incidents exist nevertheless, and have the
same ids when the events are read again. After a restart as many messages leave again, because those that come again may never
have been delivered; with a ` + "`state_cache`" + ` the report goes on where it was.

## Time

Windows and order follow the time of the events, not that of their arrival. Rules that wait for something not to
happen need ` + "`correlate_source`" + ` in the stream; a warning says so where it is missing. An event that is more than ` + "`lateness`" + `
behind is late: it is counted and changes nothing.

## Back pressure

While state cannot be loaded or saved a batch waits, with one line in the log, and the inputs wait behind it; no event
goes to the dead letters for it. Memory is bounded by ` + "`max_memory`" + `: beyond it keys leave memory, of the rules that take more
than their share, those without an incident and with the fewest and oldest events first. Without a ` + "`state_cache`" + ` they are lost,
counted in ` + "`correlate_lost_total`" + `, and an incident that may lack events says so.

## Shutdown

Nothing is held back: what was not acknowledged comes again after a restart, and open windows are in the state.
`
