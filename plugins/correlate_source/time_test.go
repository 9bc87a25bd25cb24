package correlatesource

import (
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/sample"
)

func TestEventTimeOfForeignMessagesIsMapped(t *testing.T) {
	want := event.TimeOf(time.Date(2026, 11, 21, 12, 0, 0, 5e6, time.UTC))
	for name, tt := range map[string]struct {
		mapping, content string
		ok               bool
	}{
		"milliseconds": {`root = this.at`, `{"at": 1795262400005}`, true},
		"RFC 3339":     {`root = this.at`, `{"at": "2026-11-21T13:00:00.005+01:00"}`, true},
		"a timestamp":  {`root = this.at.ts_tz("UTC")`, `{"at": "2026-11-21T13:00:00.005+01:00"}`, true},
		"another text": {`root = this.at`, `{"at": "noon"}`, false},
		"nothing":      {`root = this.at`, `{}`, false},
		"not JSON":     {`root = this.at`, `noon`, false},
	} {
		t.Run(name, func(t *testing.T) {
			mapping, err := bloblang.Parse(tt.mapping)
			if err != nil {
				t.Fatal(err)
			}
			got, ok := config{eventTime: mapping}.timeOf()(service.NewMessage([]byte(tt.content)))
			if ok != tt.ok || ok && got != want {
				t.Errorf("got %s, %v, want %s, %v", got, ok, want, tt.ok)
			}
		})
	}
}

func TestEventTimeOfRecordsIsKnown(t *testing.T) {
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	structured := service.NewMessage(nil)
	structured.SetStructuredMut(map[string]any{"time": at.UnixMilli()})
	for name, m := range map[string]*service.Message{
		"an audit event":           service.NewMessage(sample.JSON("UploadApiKey", sample.Options{Time: at})),
		"a document":               eventAt(at),
		"a document, not as bytes": structured,
	} {
		if got, ok := (config{}).timeOf()(m); !ok || got != event.TimeOf(at) {
			t.Errorf("%s: got %s, %v, want %s", name, got, ok, event.TimeOf(at))
		}
	}
	if _, ok := (config{}).timeOf()(service.NewMessage([]byte(`{"hello":"world"}`))); ok {
		t.Error("a foreign message: got a time, want none")
	}
}
