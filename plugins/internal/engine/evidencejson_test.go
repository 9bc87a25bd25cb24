package engine

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"benthos-oci/plugins/internal/event"
)

// TestEvidenceIsJSON holds the encoder of evidence to that of the standard library.
func TestEvidenceIsJSON(t *testing.T) {
	value := rapid.Deferred(func() *rapid.Generator[any] { return anyValue(3) })
	rapid.Check(t, func(rt *rapid.T) {
		v := value.Draw(rt, "value")
		var got, want any
		if err := json.Unmarshal(appendJSON(nil, v), &got); err != nil {
			rt.Fatalf("%s: %v", appendJSON(nil, v), err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			rt.Fatal(err)
		}
		if err := json.Unmarshal(b, &want); err != nil {
			rt.Fatal(err)
		}
		if diff := gocmp.Diff(want, got); diff != "" {
			rt.Errorf("(-standard library +ours)\n%s", diff)
		}
	})
}

func TestWhatJSONCannotSayIsNull(t *testing.T) {
	got := string(appendJSON(nil, map[string]any{"b": math.NaN(), "a": func() {}, "c": []any{math.Inf(1), int64(1)}}))
	if want := `{"a":null,"b":null,"c":[null,1]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// anyValue draws values of documents that lie in each other at most so deep.
func anyValue(depth int) *rapid.Generator[any] {
	kinds := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.Float64().AsAny(), rapid.String().AsAny(),
		rapid.SampledFrom([]any{1e21, math.Copysign(0, -1), 1.5, "<a&b>\u2028", "\x00\xff\"\\", "é"}),
	}
	if depth > 0 {
		deeper := anyValue(depth - 1)
		kinds = append(kinds, rapid.SliceOfN(deeper, 0, 4).AsAny(), rapid.MapOfN(rapid.String(), deeper, 0, 4).AsAny())
	}
	return rapid.OneOf(kinds...)
}

// TestEvidenceIsWrittenAsItsDocument holds the quick way of writing evidence to the plain one.
func TestEvidenceIsWrittenAsItsDocument(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		doc := map[string]any{}
		for _, name := range append(slices.Clone(evidenceParts), "api", "unmapped") {
			if rapid.Bool().Draw(rt, name) {
				doc[name] = anyValue(2).Draw(rt, "value of "+name)
			}
		}
		if rapid.Bool().Draw(rt, "with api") {
			api := map[string]any{}
			for _, name := range []string{"operation", "service", "version", "group", "request", "response", "other"} {
				if rapid.Bool().Draw(rt, name) {
					api[name] = anyValue(1).Draw(rt, "value of "+name)
				}
			}
			if rapid.Bool().Draw(rt, "request as it is") {
				api["request"] = map[string]any{"uid": "u", "data": "d"}
			}
			if rapid.Bool().Draw(rt, "response as it is") {
				api["response"] = map[string]any{"code": int64(404), "message": "m", "data": "d"}
			}
			doc["api"] = api
		}
		ev := &event.Event{Doc: doc}
		if got, want := string(appendEvidence(nil, ev)), string(appendObject(nil, evidenceDoc(ev))); got != want {
			rt.Fatalf("got %s, want %s", got, want)
		}
	})
}
