package correlate

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/incident"
	"benthos-oci/plugins/internal/watermark"
)

// Metadata of incidents.
const (
	metaID       = "incident_id"
	metaRevision = "incident_revision"
	metaAction   = "incident_action"
	metaRule     = "incident_rule"
	metaSeverity = "incident_severity"
	metaLabel    = "incident_label_" // and the label's name
	metaTenancy  = "oci_tenancy"
)

// messageOf makes the message of an incident, derived from the event that fired it or from the tick:
// the acknowledgment of the one waits for the delivery of the other.
func messageOf(inc *incident.Incident, from *service.Message) *service.Message {
	m := from.Copy()
	m.MetaDelete(watermark.MetaTick)
	m.SetStructuredMut(inc.OCSF())
	m.MetaSetMut(watermark.MetaType, watermark.TypeIncident)
	m.MetaSetMut(metaID, inc.ID)
	m.MetaSetMut(metaRevision, inc.Revision)
	m.MetaSetMut(metaAction, string(inc.Action))
	m.MetaSetMut(metaRule, inc.Rule.ID)
	m.MetaSetMut(metaSeverity, string(inc.Rule.Severity))
	for name, value := range inc.Rule.Labels {
		m.MetaSetMut(metaLabel+name, value)
	}
	if inc.Tenancy == "" {
		m.MetaDelete(metaTenancy) // the tenancy of the event that happened to fire it says nothing
		return m
	}
	m.MetaSetMut(metaTenancy, inc.Tenancy)
	return m
}

// marked gives a message that leaves as it came, with its type.
func marked(m *service.Message, as string) *service.Message {
	m = m.Copy()
	m.MetaSetMut(watermark.MetaType, as)
	return m
}
