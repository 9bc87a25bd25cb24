package normalize_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, op := range []string{"UploadApiKey", "CreatePolicy", "InteractiveLogin", "admin.group.add.member.success", "TerminateInstance.begin"} {
		audit := sample.Event(op, sample.Options{})
		for _, wrap := range envelopes {
			f.Add(encode(f, wrap(audit)))
		}
	}
	f.Add(sample.ProblemJSON("BUCKET_IS_PUBLIC", sample.ProblemOptions{}))
	f.Add(encode(f, sample.ProblemEvent("ROGUE_USER", sample.ProblemOptions{})))
	f.Add([]byte(`{"class_uid":6003,"time":1}`))
	for _, eventType := range []string{"", ".", "com.oraclecloud.", "com.oraclecloud.x.", "com.oraclecloud..end", ".begin", "Problem", "com.oraclecloud.IdentityDomains.X", "com.oraclecloud.cloudguard.problemx"} {
		f.Add([]byte(`{"eventType":"` + eventType + `","eventTime":"2026-11-20T10:00:00Z","source":"s","data":{"eventName":"E"}}`))
		f.Add([]byte(`{"type":"com.oraclecloud.` + eventType + `","time":"2026-11-20T10:00:00Z","data":{"eventName":"E"}}`))
	}
	f.Add([]byte(`{"eventType":"a","event\u0054ype":"b","eventTime":"2026-11-20T10:00:00Z","data":[]}`))
	f.Add([]byte(`{"type":"com.oraclecloud.vcn.flowlogs.DataEvent","time":"2026-11-20T10:00:00Z","data":{"sourceAddress":"::1","action":"REJECT"}}`))
}

func FuzzScan(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		kind, eventType := normalize.Scan(b)
		if kind == normalize.Unknown && eventType != nil {
			t.Errorf("a type %q of an unknown kind", eventType)
		}
		at, ok := normalize.TimeOf(b)
		ev, err := normalize.Event(b)
		if err == nil && (!ok || at != ev.Time) {
			t.Errorf("TimeOf gives %v %v, the event has %v", at, ok, ev.Time)
		}
	})
}

func FuzzNormalize(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		ev, err := normalize.Event(b)
		if !bytes.Equal(b, before) {
			t.Fatal("the record was changed")
		}
		if err != nil {
			return
		}
		encoded, err := json.Marshal(ev.Document())
		if err != nil {
			t.Fatalf("encoding the document: %v", err)
		}
		direct, err := normalize.AppendJSON(nil, b, false)
		if err != nil {
			t.Fatalf("writing the document: %v", err)
		}
		if diff := cmp.Diff(decoded(t, encoded), decoded(t, direct)); diff != "" {
			t.Errorf("the document as an object (-) and as bytes (+):\n%s", diff)
		}
		kind, eventType := normalize.Scan(b)
		for field, want := range normalize.Static(kind, string(eventType)) {
			path, err := event.ParsePath(field)
			if err != nil {
				t.Fatal(err)
			}
			if got := ev.Lookup(path); got != event.Normal(want) {
				t.Errorf("%s is %v in the document, %v in the facts", field, got, want)
			}
		}
		if kind == normalize.Normalized {
			return
		}
		if err := beyondSchema(ev.Document()); err != nil {
			t.Error(err)
		}
		if again, _ := normalize.Scan(encoded); again != normalize.Normalized {
			t.Errorf("the document is %s, want normalized", again)
		}
	})
}

// decoded reads JSON with numbers as they are written.
func decoded(t *testing.T, b []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("reading %s: %v", b, err)
	}
	return v
}
