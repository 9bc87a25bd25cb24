package sample

import (
	"strings"
	"time"
)

// ConnectorHub wraps an audit event as Connector Hub delivers it: a CloudEvents 1.0 record, its data unchanged.
func ConnectorHub(audit map[string]any) map[string]any {
	data, _ := audit["data"].(map[string]any)
	identity, _ := data["identity"].(map[string]any)
	ingested, _ := audit["eventTime"].(string)
	if at, err := time.Parse(time.RFC3339, ingested); err == nil {
		ingested = instant(at.Add(5300 * time.Millisecond))
	}
	return map[string]any{
		"data":       data,
		"dataschema": "2.0",
		"id":         audit["eventId"],
		"oracle": map[string]any{
			"compartmentid": data["compartmentId"],
			"ingestedtime":  ingested,
			"loggroupid":    "_Audit",
			"tenantid":      identity["tenantId"],
		},
		"source":      audit["source"],
		"specversion": "1.0",
		"time":        audit["eventTime"],
		"type":        audit["eventType"],
	}
}

// LoggingSearch wraps an audit event as a row of Logging Search and of the console's export.
func LoggingSearch(audit map[string]any) map[string]any {
	var datetime float64
	if at, err := time.Parse(time.RFC3339, textOf(audit["eventTime"])); err == nil {
		datetime = float64(at.UnixMilli())
	}
	return map[string]any{"datetime": datetime, "logContent": ConnectorHub(audit)}
}

// EventsService wraps an audit event as the Events service sends it:
// the type in lower case, the id spelled eventID, the compartment among the extensions.
func EventsService(audit map[string]any) map[string]any {
	data, _ := audit["data"].(map[string]any)
	return map[string]any{
		"eventType":          strings.ToLower(textOf(audit["eventType"])),
		"cloudEventsVersion": "0.1",
		"eventTypeVersion":   "2.0",
		"source":             audit["source"],
		"eventTime":          audit["eventTime"],
		"contentType":        "application/json",
		"data":               data,
		"eventID":            audit["eventId"],
		"extensions":         map[string]any{"compartmentId": data["compartmentId"]},
	}
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}
