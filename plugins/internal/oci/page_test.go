package oci

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var eventForm = form{id: "eventId", time: "eventTime"}

const whole = `{"eventId":"a","eventTime":"2026-11-20T10:00:00.123Z","data":{"x":[1,2,{"y":"],\"}"}]}}`

func TestOneMalformedItemNeverLosesThePage(t *testing.T) {
	for _, tt := range []struct {
		name, item string
		bad        bool
	}{
		{"whole", whole, false},
		{"spaces", " \n" + whole + "\t", false},
		{"null", `null`, true},
		{"number", `17`, true},
		{"string", `"eventId"`, true},
		{"list", `[{"eventId":"a"}]`, true},
		{"empty object", `{}`, true},
		{"no id", `{"eventTime":"2026-11-20T10:00:00Z"}`, true},
		{"id of the wrong type", `{"eventId":7,"eventTime":"2026-11-20T10:00:00Z"}`, true},
		{"id only below the top", `{"data":{"eventId":"a"},"eventTime":"2026-11-20T10:00:00Z"}`, true},
		{"no time", `{"eventId":"a"}`, true},
		{"time of another form", `{"eventId":"a","eventTime":"20.11.2026 10:00"}`, true},
		{"time at the end of all years", `{"eventId":"a","eventTime":"9999-12-31T23:59:59Z"}`, false},
		{"time that UTC moves past all years", `{"eventId":"a","eventTime":"9999-12-31T23:59:59-01:00"}`, true},
		{"time that UTC moves before all years", `{"eventId":"a","eventTime":"0000-01-01T00:00:00+01:00"}`, true},
		{"control character", "{\"eventId\":\"a\",\"eventTime\":\"2026-11-20T10:00:00Z\",\"x\":\"\x01\"}", true},
		{"newline in a string", "{\"eventId\":\"a\",\"eventTime\":\"2026-11-20T10:00:00Z\",\"x\":\"\n\"}", true},
		{"NaN", `{"eventId":"a","eventTime":"2026-11-20T10:00:00Z","x":NaN}`, true},
		{"missing colon", `{"eventId" "a"}`, true},
		{"wrong escape", `{"eventId":"a","eventTime":"2026-11-20T10:00:00Z","x":"\q"}`, true},
		{"wrong types inside", `{"eventId":"a","eventTime":"2026-11-20T10:00:00Z","data":7}`, false},
		{"large number", `{"eventId":"a","eventTime":"2026-11-20T10:00:00Z","n":123456789012345678901234567890}`, false},
		{"bytes that are no UTF-8", "{\"eventId\":\"a\",\"eventTime\":\"2026-11-20T10:00:00Z\",\"x\":\"\xff\"}", false},
		{"duplicate key", `{"eventId":"a","eventId":"b","eventTime":"2026-11-20T10:00:00Z"}`, false},
		{"deep", `{"eventId":"a","eventTime":"2026-11-20T10:00:00Z","x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, true},
		{"escaped id", `{"eventId":"a\u0062","eventTime":"2026-11-20T10:00:00Z"}`, false},
	} {
		items, err := split([]byte("["+whole+","+tt.item+","+whole+"]"), eventForm)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if len(items) != 3 || items[0].Err != nil || items[2].Err != nil || items[2].ID != "a" {
			t.Errorf("%s: got %d items, the last %+v; want 3, the others whole", tt.name, len(items), items[len(items)-1])
			continue
		}
		if got := string(items[1].Raw); got != strings.TrimSpace(tt.item) {
			t.Errorf("%s: got %.60q, want the bytes as they were", tt.name, got)
		}
		if got := items[1].Err != nil; got != tt.bad {
			t.Errorf("%s: got error %v, want one: %v", tt.name, items[1].Err, tt.bad)
		}
	}
}

func TestSplitFindsTheListInItsBody(t *testing.T) {
	problems := form{list: "items", id: "id", time: "timeLastDetected"}
	for _, tt := range []struct {
		name, body string
		form       form
		want       []string
		wantErr    string
	}{
		{name: "empty list", body: "[]", form: eventForm},
		{name: "spaces", body: " [ \n ] ", form: eventForm},
		{name: "byte order mark", body: "\xef\xbb\xbf[" + whole + "]", form: eventForm, want: []string{"a"}},
		{name: "in a field", body: `{"x":[1],"items":[{"id":"p","timeLastDetected":"2026-11-20T10:00:00Z"}],"y":2}`, form: problems, want: []string{"p"}},
		{name: "field in a field", body: `{"x":{"items":[]}}`, form: problems, wantErr: "no field items"},
		{name: "HTML", body: "<html>", form: eventForm, wantErr: "no list"},
		{name: "HTML for an object", body: "<html>", form: problems, wantErr: "no object"},
		{name: "empty", body: "", form: eventForm, wantErr: "no list"},
		{name: "null", body: "null", form: eventForm, wantErr: "no list"},
		{name: "an error body", body: `{"code":"x"}`, form: eventForm, wantErr: "no list"},
		{name: "cut off between items", body: "[" + whole, form: eventForm, wantErr: "cut off"},
		{name: "cut off in an item", body: "[" + whole[:40], form: eventForm, wantErr: "no end"},
		{name: "cut off after a comma", body: "[" + whole + ",", form: eventForm, wantErr: "cut off"},
		{name: "two commas", body: "[" + whole + ",," + whole + "]", form: eventForm, wantErr: "missing"},
		{name: "two lists", body: "[" + whole + "][" + whole + "]", form: eventForm, wantErr: "after the list"},
		{name: "no comma", body: "[" + whole + whole + "]", form: eventForm, wantErr: "between"},
	} {
		items, err := split([]byte(tt.body), tt.form)
		if tt.wantErr != "" {
			if err == nil || !strings.Contains(err.Error(), tt.wantErr) {
				t.Errorf("%s: got error %v, want one with %q", tt.name, err, tt.wantErr)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var got []string
		for _, item := range items {
			got = append(got, item.ID)
		}
		if diff := cmp.Diff(got, tt.want); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", tt.name, diff)
		}
	}
}

func FuzzSplit(f *testing.F) {
	for _, seed := range []string{"[" + whole + "]", `[{"a":"\\"},{"b":[{}]}]`, `["`, `[{"\`, "[1,2", `{"items":[]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		for _, form := range []form{eventForm, {list: "items", id: "id", time: "time"}} {
			items, err := split(body, form)
			if err != nil {
				continue
			}
			for _, item := range items {
				if len(item.Raw) == 0 {
					t.Errorf("%q gave an item without bytes", body)
				}
			}
		}
	})
}

func BenchmarkSplit(b *testing.B) {
	item := `{"eventId":"a","eventTime":"2026-11-20T10:00:00Z","data":{"message":"` + strings.Repeat("x y ", 450) + `"}}`
	body := []byte("[" + strings.Repeat(item+",", 99) + item + "]")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := split(body, eventForm); err != nil {
			b.Fatal(err)
		}
	}
}
