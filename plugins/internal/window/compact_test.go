package window

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTextsComeBack writes texts of every kind compactly, and near misses of them.
func TestTextsComeBack(t *testing.T) {
	const ocid = "ocid1.user.oc1..aaaaaaaaqwertyuiopasdfghjklzxcvbnm234567qwertyuiopasdfghjklzx"
	cases := []struct {
		text string
		most int // bytes
	}{
		{"", 1},
		{"alice@example.com", 18},
		{"0b7d1f6e-55aa-4c1e-9d55-00000000ab01", 17},
		{"0B7D1F6E-55AA-4C1E-9D55-00000000AB01", 38},
		{"0b7d1f6e-55aa-4c1e-9d55-00000000ab0", 37},
		{"0b7d1f6e055aa04c1e09d55000000000ab01", 20},
		{"0b7d1f6ez55aa-4c1e-9d55-00000000ab01", 38},
		{strings.Repeat("0123456789abcdef", 4), 34},
		{strings.Repeat("0123456789abcdef", 4) + "0", 67},
		{ocid, 1 + 16 + 1 + 39},
		{strings.ToUpper(ocid), 80},
		{ocid + "1", 80},
		{strings.Repeat("a", 17), 13},
		{strings.Repeat("é", 100), 203},
		{"a.b." + strings.Repeat("z7", 3000), 4 + 4 + 3751},
	}
	for _, tc := range cases {
		c := Compact(nil)
		c.String(tc.text)
		c.String("next")
		if n := len(c.Body()) - 5; n > tc.most {
			t.Errorf("%q takes %d bytes, want at most %d", tc.text, n, tc.most)
		}
		d := NewCompactDecoder(c.Body(), nil)
		if got := d.String(); got != tc.text {
			t.Errorf("got %q, want %q", got, tc.text)
		}
		if got := d.String(); got != "next" || d.Err() != nil {
			t.Errorf("behind %q: got %q, %v", tc.text, got, d.Err())
		}
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.StringMatching(`[a-z0-9.\-]{0,80}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[a-z.]{0,9}[a-z2-7]{16,70}|[0-9a-f]{16,70}`).Draw(rt, "text")
		c := Compact(nil)
		c.String(text)
		d := NewCompactDecoder(c.Body(), nil)
		if got := d.String(); got != text || d.Err() != nil {
			rt.Fatalf("got %q, want %q: %v", got, text, d.Err())
		}
	})
}

func TestCompactEntriesComeBack(t *testing.T) {
	a := NewArchive(1 << 20)
	list := []Entry{
		{ID: "e1", Time: -5, Patterns: 1},
		{ID: "e2", Time: -5, Patterns: 6, Fires: true, Judged: true, Carried: []int64{1, -1}, Values: [][]any{nil, {nil, "x", int64(3)}, {[]any{true}}}},
		{ID: "e3", Time: MaxTime - 1, Patterns: 1 << 63, Evidence: a.Put(6003, "p", []byte(`{"a":1}`))},
	}
	c := Compact(nil)
	since := list[0].Time
	for i := range list {
		c.CompactEntry(&list[i], since)
		since = list[i].Time
	}
	d := NewCompactDecoder(c.Body(), a)
	since = list[0].Time
	for i := range list {
		got := d.CompactEntry(since)
		since = got.Time
		if diff := gocmp.Diff(list[i], got, gocmp.Comparer(func(x, y *Evidence) bool {
			if x == nil || y == nil {
				return x == y
			}
			a, _ := x.Show()
			b, ok := y.Show()
			return ok && a.TypeUID == b.TypeUID && a.Product == b.Product && string(a.Doc) == string(b.Doc)
		})); diff != "" {
			t.Errorf("entry %d (-want +got)\n%s", i, diff)
		}
	}
	if err := d.Err(); err != nil {
		t.Error(err)
	}
}

// FuzzCompactDecoder reads any bytes: damage is an error and no panic.
func FuzzCompactDecoder(f *testing.F) {
	c := Compact(nil)
	c.CompactEntry(&Entry{ID: "0b7d1f6e-55aa-4c1e-9d55-00000000ab01", Time: 3, Patterns: 3, Values: [][]any{{"ocid1.user.oc1..aaaaaaaaaaaaaaaaaaaaa"}}}, 1)
	f.Add(c.Body())
	f.Fuzz(func(_ *testing.T, body []byte) {
		d := NewCompactDecoder(body, nil)
		for !d.Failed() && d.Err() != nil {
			_ = d.CompactEntry(0)
		}
	})
}

// TestArchiveKeepsTheLatest fills an archive several times over: its size stays, what it shows is right, and the oldest is gone.
func TestArchiveKeepsTheLatest(t *testing.T) {
	const limit = 64 << 10
	a := NewArchive(limit)
	doc := func(i int) string {
		return fmt.Sprintf(`{"n":%d,"text":"%x"}`, i, strings.Repeat(strconv.Itoa(i*7919), 30))
	}
	var all []*Evidence
	for i := range 8000 {
		all = append(all, a.Put(int64(i), "p", []byte(doc(i))))
		if a.Bytes() > limit+limit/4 {
			t.Fatalf("%d bytes, want about %d", a.Bytes(), limit)
		}
	}
	gone := 0
	for i, v := range all {
		x, ok := v.Show()
		if !ok {
			if gone++; gone != i+1 {
				t.Fatalf("%d is gone, and an older one is there", i)
			}
			continue
		}
		if x.TypeUID != int64(i) || x.Product != "p" || string(x.Doc) != doc(i) {
			t.Fatalf("%d shows %d %s %s", i, x.TypeUID, x.Product, x.Doc)
		}
	}
	if a.Lost() != int64(gone) {
		t.Errorf("%d are gone, and %d counted", gone, a.Lost())
	}
	if gone == 0 || gone > 7000 {
		t.Errorf("%d of %d are gone", gone, len(all))
	}
}
