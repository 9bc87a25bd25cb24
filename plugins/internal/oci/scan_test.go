package oci

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// objects are texts that a scanner may trip over, each with whether it begins with a whole object.
var objects = map[string]bool{
	`{}`: true, ` {}`: false, `{ }`: true, `{}x`: true, `{`: false, ``: false, `[]`: false, `"a"`: false, `{"a"}`: false, `{"a":}`: false, `{"a":1,}`: false,
	`{,}`: false, `{"a" : [ 1 , -0.5e+10 , 0 ] , "b":{"c":null}}`: true, `{"a":01}`: false, `{"a":1.}`: false, `{"a":.1}`: false, `{"a":1e}`: false,
	`{"a":-}`: false, `{"a":+1}`: false, `{"a":truex}`: false, `{"a":tru}`: false, `{"a":true,"b":false,"c":null}`: true, `{"a":"\u00e9\\\"\/\b\f\n\r\t"}`: true,
	`{"a":"\x"}`: false, `{"a":"\u12g4"}`: false, `{"a":"\u12"}`: false, "{\"a\":\"\n\"}": false, "{\"a\":\"12345678901234567\x1f\"}": false,
	"{\"a\":\"\xff\xfe\"}": true, `{"a":"` + strings.Repeat("x", 100) + `"}`: true, `{"a":[}`: false, `{"a":[1}`: false, `{"a":{]}`: false, `{"a":[1,]}`: false,
	`{"a":[[],{}]}`: true, `{"a":1 2}`: false, `{"a":"b}`: false, `{'a':1}`: false, `{"a":1}}`: true, `{1:2}`: false, `{"a":1,"a":2}`: true,
	`{"a":` + strings.Repeat("[", maxDepth-1) + strings.Repeat("]", maxDepth-1) + `}`: true,
	`{"a":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`:     false,
}

func TestObjectIsReadAsTheLibraryReadsIt(t *testing.T) {
	for text, want := range objects {
		_, got := object([]byte(text), nil)
		if got != want {
			t.Errorf("%.60q: got %v, want %v", text, got, want)
		}
		agree(t, []byte(text))
	}
}

// agree holds object to what encoding/json and the patient scanner say.
func agree(t *testing.T, b []byte) {
	t.Helper()
	var got []string
	n, ok := object(b, func(name, value []byte) { got = append(got, string(name)+"="+string(value)) })
	switch {
	case ok && !json.Valid(b[:n]):
		t.Fatalf("%.200q: %d bytes are taken for a whole object, which they are not", b, n)
	case !ok && len(b) > 0 && b[0] == '{' && json.Valid(b):
		t.Fatalf("%.200q is a valid object and was not taken for one", b)
	case !ok:
		return
	}
	if end, err := extent(b); err != nil || end != n {
		t.Fatalf("%.200q: got %d bytes, and %d (%v) from the scanner of broken items", b, n, end, err)
	}
	var want []string
	if err := fields(b[:n], func(name, value []byte) { want = append(want, string(name)+"="+string(value)) }); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Fatalf("fields of %.200q: got -, want +:\n%s", b, diff)
	}
	if valid(b) != json.Valid(b) {
		t.Fatalf("%.200q: got valid %v, want %v", b, valid(b), json.Valid(b))
	}
}

func FuzzObjectIsReadAsTheLibraryReadsIt(f *testing.F) {
	for text := range objects {
		if len(text) < 1000 {
			f.Add([]byte(text))
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) { agree(t, b) })
}

func TestSplittingAPageOfWholeItemsAllocatesOnlyTheirIds(t *testing.T) {
	body := pageOf(1000)
	// The list of items grows a few times; each item has its id.
	if got := testing.AllocsPerRun(20, func() {
		if items, err := split(body, form{id: "eventId", time: "eventTime"}); err != nil || len(items) != 1000 {
			t.Fatalf("got %d items, %v", len(items), err)
		}
	}); got > 2030 {
		t.Errorf("got %.0f allocations for 1000 items, want at most two for each and some for their list", got)
	}
}

// pageOf is a page of so many audit events of about 2 KB each.
func pageOf(events int) []byte {
	item := `{"eventType":"com.oraclecloud.ComputeApi.GetInstance","cloudEventsVersion":"0.1","source":"ComputeApi","eventId":"%028d","eventTime":"2026-11-20T10:00:00.123Z",` +
		`"contentType":"application/json","data":{` + strings.Repeat(`"compartmentName":"network","path":"/20160918/instances","x":[1,2,3],`, 26) + `"y":null}}`
	var all []string
	for i := range events {
		all = append(all, fmt.Sprintf(item, i))
	}
	return []byte("[" + strings.Join(all, ",") + "]")
}
