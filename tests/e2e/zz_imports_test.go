package e2e

import (
	_ "benthos-oci/plugins/bolt"
	_ "benthos-oci/plugins/correlate"
	_ "benthos-oci/plugins/correlate_source"
	_ "benthos-oci/plugins/oci_audit"
	_ "benthos-oci/plugins/oci_cloudguard"
	_ "benthos-oci/plugins/oci_normalize"
)
