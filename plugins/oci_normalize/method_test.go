package ocinormalize_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/normalize"
	"benthos-oci/plugins/internal/sample"
	_ "benthos-oci/plugins/oci_normalize"
)

func parse(t *testing.T, mapping string) *bloblang.Executor {
	t.Helper()
	exec, err := bloblang.Parse(mapping)
	if err != nil {
		t.Fatal(err)
	}
	return exec
}

// run maps one message, as the mapping processor does.
func run(t *testing.T, mapping string, content []byte) (*service.Message, error) {
	t.Helper()
	return service.NewMessage(content).BloblangQuery(parse(t, mapping))
}

func TestBytesTextAndObjectGiveTheSameDocument(t *testing.T) {
	record := sample.JSON("CreatePolicy", sample.Options{})
	want, err := normalize.Normalize(record)
	if err != nil {
		t.Fatal(err)
	}
	for _, mapping := range []string{
		`root = content().oci_normalize()`, `root = content().string().oci_normalize()`, `root = this.oci_normalize()`,
		`root = content().oci_normalize().oci_normalize()`, `root = content().oci_normalize().format_json().oci_normalize()`,
	} {
		out, err := run(t, mapping, record)
		if err != nil {
			t.Errorf("%s: %v", mapping, err)
			continue
		}
		b, err := out.AsBytes()
		if err != nil {
			t.Fatal(err)
		}
		got, err := normalize.Normalize(b) // the same types as want
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, want); diff != "" {
			t.Errorf("%s (-got +want):\n%s", mapping, diff)
		}
	}
}

func TestBytesAreTheSameDocument(t *testing.T) {
	record := sample.JSON("CreatePolicy", sample.Options{})
	for as, want := range map[string]string{
		`content().oci_normalize(bytes: true)`:                                                                   `content().oci_normalize()`,
		`this.oci_normalize(bytes: true)`:                                                                        `content().oci_normalize()`,
		`content().oci_normalize(raw_data: true, bytes: true)`:                                                   `content().oci_normalize(raw_data: true)`,
		`content().oci_normalize(bytes: true).oci_normalize(bytes: true)`:                                        `content().oci_normalize()`,
		`content().oci_normalize(bytes: true).oci_normalize()`:                                                   `content().oci_normalize()`,
		`content().oci_normalize().oci_normalize(bytes: true)`:                                                   `content().oci_normalize()`,
		`content().oci_normalize(bytes: true).parse_json().merge({"x":1})`:                                       `content().oci_normalize().merge({"x":1})`,
		`if content().oci_normalize(bytes: true).type() == "bytes" { this.oci_normalize() } else { "no bytes" }`: `content().oci_normalize()`,
	} {
		var docs [2]any
		for i, mapping := range []string{as, want} {
			out, err := run(t, "root = "+mapping, record)
			if err != nil {
				t.Fatalf("%s: %v", mapping, err)
			}
			b, err := out.AsBytes()
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(b, &docs[i]); err != nil {
				t.Fatalf("%s gives %s: %v", mapping, b, err)
			}
		}
		if diff := cmp.Diff(docs[1], docs[0]); diff != "" {
			t.Errorf("%s (+) is not %s (-):\n%s", as, want, diff)
		}
	}
	if out, err := run(t, `root = content().oci_normalize(bytes: true)`, []byte("no record")); err == nil {
		t.Errorf("got %v of what is no record, want an error", out)
	}
}

func TestRawDataKeepsTheRecordByteForByte(t *testing.T) {
	record := []byte(" {\"eventType\": \"com.oraclecloud.ComputeApi.GetInstance\",\n\"eventTime\": \"2026-11-20T10:00:00Z\"}")
	for mapping, want := range map[string]any{
		`root = content().oci_normalize(raw_data: true).raw_data`:       string(record),
		`root = content().oci_normalize(true).raw_data`:                 string(record),
		`root = content().oci_normalize().raw_data.or("not asked for")`: "not asked for",
	} {
		out, err := run(t, mapping, record)
		if err != nil {
			t.Errorf("%s: %v", mapping, err)
			continue
		}
		b, err := out.AsBytes()
		if err != nil {
			t.Fatal(err)
		}
		if string(b) != want {
			t.Errorf("%s: got %q, want %q", mapping, b, want)
		}
	}
}

func TestEmptyMessagesPassUnchanged(t *testing.T) {
	for _, method := range []string{"oci_normalize", "oci_unwrap"} {
		for _, content := range []string{"", " \n"} {
			out, err := run(t, "root = content()."+method+"()", []byte(content))
			if err != nil {
				t.Errorf("%s of %q: %v", method, content, err)
				continue
			}
			if b, err := out.AsBytes(); err != nil || string(b) != content {
				t.Errorf("%s of %q: got %q %v, want it unchanged", method, content, b, err)
			}
		}
	}
}

func TestUnwrapGivesTheRecordInEveryEnvelope(t *testing.T) {
	audit := sample.Event("UploadApiKey", sample.Options{})
	for name, record := range map[string]map[string]any{
		"audit API": audit, "Connector Hub": sample.ConnectorHub(audit), "Logging search": sample.LoggingSearch(audit), "Events": sample.EventsService(audit),
	} {
		b, err := json.Marshal(record)
		if err != nil {
			t.Fatal(err)
		}
		out, err := run(t, `root = content().oci_unwrap().eventId + " " + content().oci_unwrap().data.eventName`, b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := out.AsBytes()
		if err != nil {
			t.Fatal(err)
		}
		if want := audit["eventId"].(string) + " UploadApiKey"; string(got) != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}

func TestErrorsReachTheMapping(t *testing.T) {
	tests := []struct{ name, mapping, in, want string }{
		{"not JSON", `root = content().oci_normalize()`, `{"eventType":`, "normalizing the message: it is not JSON"},
		{"foreign", `root = content().oci_normalize()`, `{"a":1}`, "it is neither an OCI audit event nor a Cloud Guard problem"},
		{"a number", `root = 7.oci_normalize()`, `{}`, "it must be bytes, text or an object, not int64; call the method on content() or this"},
		{"unwrap", `root = content().oci_unwrap()`, `[]`, "it is a JSON array"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if _, err := run(t, test.mapping, []byte(test.in)); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
		})
	}
}

func TestExamplesGiveWhatTheyShow(t *testing.T) {
	checked := 0
	bloblang.GlobalEnvironment().WalkMethods(func(name string, view *bloblang.MethodView) {
		if !strings.HasPrefix(name, "oci_") {
			return
		}
		for _, example := range view.TemplateData().Examples {
			for _, result := range example.Results {
				out, err := run(t, example.Mapping, []byte(result[0]))
				if err != nil {
					t.Errorf("%s: %v", name, err)
					continue
				}
				got, err := out.AsBytes()
				if err != nil {
					t.Fatal(err)
				}
				if string(got) != result[1] {
					t.Errorf("%s:\ngot  %s\nwant %s", name, got, result[1])
				}
				checked++
			}
		}
	})
	if checked < 3 {
		t.Errorf("only %d examples", checked)
	}
}
