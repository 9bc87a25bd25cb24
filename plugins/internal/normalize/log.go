package normalize

import (
	"net/netip"
	"strings"

	"github.com/valyala/fastjson"

	"benthos-oci/plugins/internal/event"
)

const productLogging = "OCI Logging"

// serviceLog builds the document of a log entry that is no audit event: a Base Event, so that nothing is lost.
func serviceLog(s source, t event.Time) map[string]any {
	doc := common(s, t, deed{class: baseEvent, activity: otherActivity}, productLogging)
	logPlace(s).write(doc)
	leftover(doc, s)
	return doc
}

// flow builds the document of a VCN flow log record.
func flow(s source, t event.Time) map[string]any {
	from, to := address(s.data, "srcaddr", "sourceAddress"), address(s.data, "dstaddr", "destinationAddress")
	if from == "" && to == "" {
		return serviceLog(s, t)
	}
	doc := common(s, t, deed{class: networkActivity, activity: 6}, productLogging)
	logPlace(s).write(doc)
	set(doc, "src_endpoint", endpoint(s.data, from, "srcport", "sourcePort"))
	set(doc, "dst_endpoint", endpoint(s.data, to, "dstport", "destinationPort"))
	status := int64(statusUnknown)
	switch strings.ToUpper(str(s.data, "action")) {
	case "ACCEPT":
		status = statusSuccess
	case "REJECT":
		status = statusFailure
	}
	doc["status_id"], doc["status"] = status, statusNames[status]
	set(doc, "status_detail", str(s.data, "action"))
	leftover(doc, s)
	return doc
}

func logPlace(s source) where {
	return where{tenancy: s.tenancy, compartment: s.compartment, region: s.region}
}

// leftover keeps the whole of the entry: no field of it has another home.
func leftover(doc map[string]any, s source) {
	if s.parts == lean {
		return
	}
	unmapped := map[string]any{}
	set(unmapped, "data", decode(s.data))
	if s.oracle != nil {
		set(unmapped, "oracle", decode(s.oracle))
	}
	set(doc, "unmapped", unmapped)
}

func address(data *fastjson.Value, names ...string) string {
	for _, name := range names {
		if ip, err := netip.ParseAddr(str(data, name)); err == nil && ip.Zone() == "" {
			return ip.Unmap().String()
		}
	}
	return ""
}

func endpoint(data *fastjson.Value, ip string, ports ...string) map[string]any {
	e := map[string]any{}
	if ip == "" {
		return e
	}
	e["ip"] = ip
	const most = 65535
	for _, name := range ports {
		if n, ok := number(scalar(data, name)).(int64); ok && n > 0 && n <= most {
			e["port"] = n
		}
	}
	return e
}
