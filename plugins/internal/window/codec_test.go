package window

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestEntriesSurviveEncoding(t *testing.T) {
	tests := []Entry{
		{},
		{ID: "e", Time: -5, Patterns: 1<<63 | 1, Fires: true, Judged: true, Carried: []int64{-86400000, 0, 5}},
		{ID: "Straße", Time: MaxTime, Patterns: 3, Values: [][]any{nil, {
			nil, true, false, int64(math.MinInt64), 1.5, "", "text", []any{int64(1), []any{}}, map[string]any{"b": int64(1), "a": nil},
		}}},
	}
	for _, want := range tests {
		var c Encoder
		c.Entry(&want)
		d := NewDecoder(c.Body())
		got := d.Entry()
		if err := d.Err(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty(), cmpopts.IgnoreFields(Entry{}, "Evidence")); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	}
}

func TestEvidenceIsEncodedOnce(t *testing.T) {
	calls := 0
	v := LazyEvidence(600301, "OCI Audit", func() []byte { calls++; return []byte(`{"a":1}`) })
	for range 2 {
		var c Encoder
		c.Entry(&Entry{ID: "e", Evidence: v})
		d := NewDecoder(c.Body())
		got := d.Entry()
		if err := d.Err(); err != nil {
			t.Fatal(err)
		}
		if x, ok := got.Evidence.Show(); !ok || x.TypeUID != 600301 || x.Product != "OCI Audit" || string(x.Doc) != `{"a":1}` {
			t.Errorf("got %d %s %s", x.TypeUID, x.Product, x.Doc)
		}
	}
	if calls != 1 {
		t.Errorf("encoded %d times", calls)
	}
}

func TestOpenRefusesWhatWasNotSealed(t *testing.T) {
	row := Seal([]byte("body"))
	if body, err := Open(row); err != nil || string(body) != "body" {
		t.Fatalf("got %q, %v", body, err)
	}
	for i := range row {
		damaged := append([]byte(nil), row...)
		damaged[i] ^= 1
		if _, err := Open(damaged); !errors.Is(err, ErrCorrupt) {
			t.Errorf("byte %d changed: got %v, want that it is corrupt", i, err)
		}
	}
	for n := range row {
		if _, err := Open(row[:n]); !errors.Is(err, ErrCorrupt) {
			t.Errorf("cut to %d bytes: got %v, want that it is corrupt", n, err)
		}
	}
	if _, err := Open(SealVersion(Version+1, []byte("body"))); !errors.Is(err, ErrVersion) {
		t.Errorf("a newer version: got %v", err)
	}
}

func TestDecoderReadsNothingBeyondTheEnd(t *testing.T) {
	d := NewDecoder([]byte{0xff})
	for range 3 {
		if d.Len() != 0 || d.String() != "" || d.Value() != nil || d.Uint() != 0 || d.Bool() || d.Ints() != nil {
			t.Error("something was read")
		}
	}
	if !errors.Is(d.Err(), ErrCorrupt) {
		t.Errorf("got %v", d.Err())
	}
	d = NewDecoder([]byte{0, 0})
	d.Uint()
	if !errors.Is(d.Err(), ErrCorrupt) {
		t.Errorf("a byte too many: got %v", d.Err())
	}
}

func TestDeepValuesAreCutAndNotRefused(t *testing.T) {
	var v any = "bottom"
	for range 3 * maxDepth {
		v = []any{v}
	}
	var c Encoder
	c.Value(v)
	d := NewDecoder(c.Body())
	d.Value()
	if err := d.Err(); err != nil {
		t.Error(err)
	}
}

func FuzzDecoder(f *testing.F) {
	var c Encoder
	c.Entry(&Entry{ID: "e", Time: 1, Patterns: 1, Values: [][]any{{"a", int64(1), map[string]any{"k": []any{1.5}}}}, Carried: []int64{1}})
	f.Add(c.Body())
	f.Add(Seal(c.Body()))
	f.Fuzz(func(_ *testing.T, data []byte) {
		if body, err := Open(data); err == nil {
			data = body
		}
		d := NewDecoder(data)
		for !d.Failed() && len(d.b) > 0 {
			e := d.Entry()
			if !d.Failed() {
				var again Encoder
				again.Entry(&e)
			}
		}
	})
}
