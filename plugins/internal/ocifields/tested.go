package ocifields

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
)

// Tested gives what a check found as the results of a connection test: what failed, or that all is well.
func Tested(report oci.Report) service.ConnectionTestResults {
	var results service.ConnectionTestResults
	for _, step := range report.Steps {
		if step.Err != nil {
			results = append(results, service.ConnectionTestFailed(step.Err))
		}
	}
	if len(results) == 0 {
		return service.ConnectionTestSucceeded().AsList()
	}
	return results
}
