package correlate

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/sample"
)

// TestEventBelongsToTheTenancyThatItWasReadFrom covers problems of Cloud Guard's API, which name no tenancy, and calls
// from another tenancy, which name that one: either would belong to a watermark that never moves.
func TestEventBelongsToTheTenancyThatItWasReadFrom(t *testing.T) {
	const read = "ocid1.tenancy.oc1..read"
	records := map[string][]byte{
		"problem": sample.ProblemJSON("BUCKET_IS_PUBLIC", sample.ProblemOptions{}),
		"caller": sample.JSON("UploadApiKey", sample.Options{Set: map[string]any{
			"data.compartmentId": "ocid1.compartment.oc1..c", "data.identity.tenantId": "ocid1.tenancy.oc1..caller",
		}}),
	}
	for name, record := range records {
		for _, metadata := range []string{read, ""} {
			msg := service.NewMessage(record)
			if metadata != "" {
				msg.MetaSetMut(metaTenancy, metadata)
			}
			p := newFake(t, &fake{}, forwardIncidents)
			w := p.sort(service.MessageBatch{msg})
			if len(w.events) != 1 {
				t.Fatalf("%s: got %d events, want 1", name, len(w.events))
			}
			want := metadata
			if metadata == "" && name == "caller" {
				want = "ocid1.tenancy.oc1..caller"
			}
			if got := w.events[0].Tenancy; got != want {
				t.Errorf("%s with metadata %q: got %q, want %q", name, metadata, got, want)
			}
		}
	}
}
