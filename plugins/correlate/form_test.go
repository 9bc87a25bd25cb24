package correlate_test

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/sample"
)

// TestFormOfAnEventDoesNotChangeWhatIsFound sends one day raw, in each envelope, and normalized before correlate in each way.
func TestFormOfAnEventDoesNotChangeWhatIsFound(t *testing.T) {
	const events = 1500
	all := day(rand.New(rand.NewPCG(7, 8)))[:events]
	want := undisturbed(t, all)
	const size = 100
	same := func(record map[string]any) map[string]any { return record }
	for _, tt := range []struct {
		name, before string
		wrap         func(map[string]any) map[string]any
	}{
		{"raw, of the Events service", "", sample.EventsService},
		{"raw, of Connector Hub", "", sample.ConnectorHub},
		{"raw, of a Logging search", "", sample.LoggingSearch},
		{"normalized to an object", "root = content().oci_normalize()", same},
		{"normalized to bytes", "root = content().oci_normalize(bytes: true)", same},
		{"normalized to bytes, of Connector Hub", "root = content().oci_normalize(bytes: true)", sample.ConnectorHub},
		{"normalized, and encoded with sorted names", "root = content().oci_normalize().format_json()", same},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := withState(orderConfig, "memory: {}")
				if tt.before != "" {
					config = strings.Replace(config, "  processors:\n", "  processors:\n    - mapping: '"+tt.before+"'\n", 1)
				}
				in, out := wrapped(t, all, size, tt.wrap), &sink{}
				start(t, 1, config, map[string]any{"in": in, "out": out}).wait()
				got, _ := out.incidents(t)
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("settled incidents (-undisturbed +got):\n%s", diff)
				}
			})
		})
	}
}

// wrapped is feedOf with each record in an envelope.
func wrapped(t *testing.T, all []record, size int, wrap func(map[string]any) map[string]any) *feed {
	t.Helper()
	var batches []service.MessageBatch
	for len(all) > 0 {
		var b service.MessageBatch
		for _, r := range all[:min(size, len(all))] {
			m := raw(r.op, r.user, r.at)
			bytes, err := m.AsBytes()
			if err != nil {
				t.Fatal(err)
			}
			var record map[string]any
			if err := json.Unmarshal(bytes, &record); err != nil {
				t.Fatal(err)
			}
			if bytes, err = json.Marshal(wrap(record)); err != nil {
				t.Fatal(err)
			}
			m.SetBytes(bytes)
			b = append(b, m)
		}
		all = all[len(b):]
		batches = append(batches, b)
	}
	f := newFeed(batches...).ends()
	f.pace = time.Duration(size) * time.Millisecond
	return f
}
