package all

import (
	// Components of Benthos itself.
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure/extended"

	// Components of Connect under the Apache license, one by one: components/all brings licensed code with it.
	_ "github.com/redpanda-data/connect/v4/public/components/io"
	_ "github.com/redpanda-data/connect/v4/public/components/kafka"
	_ "github.com/redpanda-data/connect/v4/public/components/nats"
	_ "github.com/redpanda-data/connect/v4/public/components/opensearch"
	_ "github.com/redpanda-data/connect/v4/public/components/prometheus"
	_ "github.com/redpanda-data/connect/v4/public/components/redis"
	_ "github.com/redpanda-data/connect/v4/public/components/splunk"

	// Our own.
	_ "benthos-oci/plugins/bolt"
	_ "benthos-oci/plugins/correlate"
	_ "benthos-oci/plugins/correlate_source"
	_ "benthos-oci/plugins/oci_audit"
	_ "benthos-oci/plugins/oci_cloudguard"
	_ "benthos-oci/plugins/oci_logging"
	_ "benthos-oci/plugins/oci_normalize"
	_ "benthos-oci/plugins/oci_streaming"
)
