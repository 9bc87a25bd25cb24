package normalize_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
)

// TestDocumentIsTheSameInEachForm compares, for every operation in every envelope, the object with the bytes.
func TestDocumentIsTheSameInEachForm(t *testing.T) {
	compare := func(name string, record []byte) {
		doc, err := normalize.Normalize(record)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		direct, err := normalize.AppendJSON([]byte("before"), record, false)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		rest, ok := strings.CutPrefix(string(direct), "before")
		if !ok {
			t.Fatalf("%s: got %.20q, want it behind what was there", name, direct)
		}
		if diff := cmp.Diff(decoded(t, encode(t, doc)), decoded(t, []byte(rest))); diff != "" {
			t.Errorf("%s: the document as an object (-) and as bytes (+):\n%s", name, diff)
		}
	}
	for _, op := range sample.Operations() {
		audit := sample.Event(op, sample.Options{})
		for name, wrap := range envelopes {
			compare(op+" in "+name, encode(t, wrap(audit)))
		}
	}
	compare("a problem", sample.ProblemJSON("BUCKET_IS_PUBLIC", sample.ProblemOptions{}))
	compare("a problem of the Events service", encode(t, sample.ProblemEvent("ROGUE_USER", sample.ProblemOptions{})))
	compare("odd values", []byte(`{"eventType":"com.oraclecloud.a.B","eventTime":"2026-11-20T10:00:00Z","data":{
		"odd \"name\"":"line\nbreak\ttab\rreturn \u0001 \u2028 \ud83d\ude00 <&> \\","broken":"`+"\xff\xfe"+`","none":null,"empty":{"a":[],"b":""},
		"numbers":[0,-0,1.5,1e300,1e999,-12345678901234567890,9223372036854775807,9223372036854775808,0.1],"flags":[true,false,null,"",[],{}]}}`))
	compare("a key that stands twice", []byte(`{"eventType":"com.oraclecloud.a.B","eventTime":"2026-11-20T10:00:00Z","data":{"x":1,"x":2,"warnings":"own"}}`))
}

// TestNormalizedDocumentGivesTheSameEvent compares every value that a rule could ask for of a record and of its document.
func TestNormalizedDocumentGivesTheSameEvent(t *testing.T) {
	for _, op := range sample.Operations() {
		record := sample.JSON(op, sample.Options{})
		of, err := normalize.Event(record)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := normalize.AppendJSON(nil, record, true)
		if err != nil {
			t.Fatal(err)
		}
		normalized, err := normalize.Event(doc)
		if err != nil {
			t.Fatal(err)
		}
		if of.ID != normalized.ID || of.Time != normalized.Time || of.Tenancy != normalized.Tenancy {
			t.Errorf("%s: got %s at %s of %q, want %s at %s of %q", op, normalized.ID, normalized.Time, normalized.Tenancy, of.ID, of.Time, of.Tenancy)
		}
		delete(normalized.Doc, "raw_data")
		if diff := cmp.Diff(of.Doc, normalized.Doc); diff != "" {
			t.Errorf("%s: of the record (-) and of its document (+):\n%s", op, diff)
		}
		if diff := cmp.Diff(of.Record(), normalized.Record()); diff != "" {
			t.Errorf("%s: raw of the record (-) and of its document (+):\n%s", op, diff)
		}
		for _, path := range []event.Path{{"unmapped"}, {"http_request", "http_headers", "name"}, {"http_request"}} {
			if diff := cmp.Diff(of.Lookup(path), normalized.Lookup(path)); diff != "" {
				t.Errorf("%s: %s of the record (-) and of its document (+):\n%s", op, path, diff)
			}
		}
	}
}

// TestRecordsMayBeChangedAfterwards holds documents to have nothing of the record's memory.
func TestRecordsMayBeChangedAfterwards(t *testing.T) {
	record := sample.JSON("CreatePolicy", sample.Options{})
	doc, err := normalize.Normalize(record)
	if err != nil {
		t.Fatal(err)
	}
	before := string(encode(t, doc))
	for i := range record {
		record[i] = 'x'
	}
	for range 10 { // others use the same memory for their records
		if _, err := normalize.Normalize(sample.JSON("UploadApiKey", sample.Options{})); err != nil {
			t.Fatal(err)
		}
	}
	if after := string(encode(t, doc)); after != before {
		t.Errorf("the document was %s, and is %s", before, after)
	}
}

func TestManyKeysAreReadInTime(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"eventType":"com.oraclecloud.a.B","eventTime":"2026-11-20T10:00:00Z","data":{"many":{`)
	const keys = 50_000
	for i := range keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`"k` + strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strconv.Itoa(i) + `":1`)
	}
	b.WriteString(`,"ka0":2}}}`) // the first one again
	doc, err := normalize.Normalize([]byte(b.String()))
	if err != nil {
		t.Fatal(err)
	}
	many, _ := doc["unmapped"].(map[string]any)["data"].(map[string]any)["many"].(map[string]any)
	if len(many) != keys || many["ka0"] != int64(1) {
		t.Errorf("got %d keys, the first of them %v, want %d and its first value", len(many), many["ka0"], keys)
	}
	if doc["unmapped"].(map[string]any)["duplicate_keys"] != true {
		t.Error("the key that stands twice is not told")
	}
}
