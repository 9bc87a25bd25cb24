package normalize

import (
	"net/netip"
	"strings"

	"github.com/valyala/fastjson"

	"benthos-oci/plugins/internal/event"
)

const productLogging = "OCI Logging"

// serviceLog builds the document of a log entry that is no audit event: a Base Event, so that nothing is lost.
func serviceLog(s source, t event.Time) *object {
	doc, metadata := common(s, t, deed{class: baseEvent, activity: otherActivity}, productLogging)
	setSeverity(doc, severityInformational)
	logPlace(s).write(s.draft, doc, metadata)
	leftover(doc, s)
	return doc
}

// flow builds the document of a VCN flow log record.
func flow(s source, t event.Time) *object {
	from, to := address(s.data, "srcaddr", "sourceAddress"), address(s.data, "dstaddr", "destinationAddress")
	if from == "" && to == "" {
		return serviceLog(s, t)
	}
	doc, metadata := common(s, t, deed{class: networkActivity, activity: 6}, productLogging)
	setSeverity(doc, severityInformational)
	logPlace(s).write(s.draft, doc, metadata)
	doc.object("src_endpoint", endpoint(s, from, "srcport", "sourcePort"))
	doc.object("dst_endpoint", endpoint(s, to, "dstport", "destinationPort"))
	status := int64(statusUnknown)
	switch strings.ToUpper(str(s.data, "action")) {
	case "ACCEPT":
		status = statusSuccess
	case "REJECT":
		status = statusFailure
	}
	setStatusID(doc, status)
	doc.text("status_detail", str(s.data, "action"))
	leftover(doc, s)
	return doc
}

func logPlace(s source) where {
	return where{tenancy: s.tenancy, compartment: s.compartment, region: s.region}
}

// leftover keeps the whole of the entry: no field of it has another home.
func leftover(doc *object, s source) {
	if s.parts == lean {
		return
	}
	unmapped := s.object()
	unmapped.object("data", s.members(s.data, false, nil))
	if s.oracle != nil {
		unmapped.object("oracle", s.members(s.oracle, false, nil))
	}
	doc.object("unmapped", unmapped)
}

func address(data *fastjson.Value, names ...string) string {
	for _, name := range names {
		if ip, err := netip.ParseAddr(str(data, name)); err == nil && ip.Zone() == "" {
			return ip.Unmap().String()
		}
	}
	return ""
}

func endpoint(s source, ip string, ports ...string) *object {
	e := s.object()
	if ip == "" {
		return e
	}
	e.text("ip", ip)
	const most = 65535
	port := int64(0)
	for _, name := range ports {
		if n, ok := number(scalar(s.data, name)).(int64); ok && n > 0 && n <= most {
			port = n
		}
	}
	if port > 0 {
		e.whole("port", port)
	}
	return e
}
