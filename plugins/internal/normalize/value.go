package normalize

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fastjson"

	"benthos-oci/plugins/internal/event"
)

// number reads a number: what neither int64 nor float64 can hold stays text, so that a document can always be encoded.
func number(s string) any {
	if s == "" {
		return s // an error is an allocation
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return s
	}
	return f
}

// str gives the string at keys, "" where there is none. It is a part of the record: see view.
func str(v *fastjson.Value, keys ...string) string {
	return view(v.GetStringBytes(keys...))
}

// scalar gives the string or number at keys as text, "" where there is none.
func scalar(v *fastjson.Value, keys ...string) string {
	found := v.Get(keys...)
	if found == nil {
		return ""
	}
	switch found.Type() {
	case fastjson.TypeString:
		return view(found.GetStringBytes())
	case fastjson.TypeNumber:
		return found.String()
	default:
		return ""
	}
}

// objectAt gives the object at keys, nil where there is none.
func objectAt(v *fastjson.Value, keys ...string) *fastjson.Value {
	if found := v.Get(keys...); found != nil && found.Type() == fastjson.TypeObject {
		return found
	}
	return nil
}

// first gives the first of values that is not empty.
func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// usualTime reads a time as nearly all records have it, 2026-11-20T12:00:00.000Z; false for any other form, which may be a time as well.
func usualTime[T string | []byte](s T) (event.Time, bool) {
	const form = "2006-01-02T15:04:05"
	if len(s) < len(form)+1 || s[4] != '-' || s[7] != '-' || s[10] != 'T' || s[13] != ':' || s[16] != ':' || s[len(s)-1] != 'Z' {
		return 0, false
	}
	year, ok1 := twoDigits(s[0], s[1])
	years, ok2 := twoDigits(s[2], s[3])
	month, ok3 := twoDigits(s[5], s[6])
	day, ok4 := twoDigits(s[8], s[9])
	hour, ok5 := twoDigits(s[11], s[12])
	minute, ok6 := twoDigits(s[14], s[15])
	second, ok7 := twoDigits(s[17], s[18])
	year = 100*year + years
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || !ok7 || year < 1 ||
		month < 1 || month > 12 || day < 1 || day > 28 && day > daysOf(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	ms := int64(0)
	if fraction := s[len(form) : len(s)-1]; len(fraction) > 0 {
		if fraction[0] != '.' || len(fraction) < 2 || len(fraction) > 10 {
			return 0, false
		}
		for i, unit := 1, int64(100); i < len(fraction); i, unit = i+1, unit/10 {
			d := fraction[i] - '0'
			if d > 9 {
				return 0, false
			}
			ms += int64(d) * unit
		}
	}
	seconds := int64(daysBefore(year, month)+day-1)*86_400 + int64(3600*hour+60*minute+second)
	return event.Time(1000*seconds + ms), true
}

func twoDigits(a, b byte) (int, bool) {
	a, b = a-'0', b-'0'
	return 10*int(a) + int(b), a <= 9 && b <= 9
}

// daysOf gives the length of a month.
func daysOf(year, month int) int {
	if month == 2 {
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 30 + (month+month/8)%2
}

// daysBefore gives the days from 1970-01-01 to the first of a month, counting years from March so that the leap day is the last.
func daysBefore(year, month int) int {
	const untilEpoch = 719_468 // from 0000-03-01
	if month <= 2 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 - untilEpoch
}

// parseTime reads a time as Oracle's services write it.
func parseTime(s string) (event.Time, bool) {
	if s == "" {
		return 0, false // an error is an allocation
	}
	if t, ok := usualTime(s); ok {
		return t, true
	}
	for _, layout := range [...]string{time.RFC3339, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, s); err == nil {
			return event.TimeOf(t), true
		}
	}
	return 0, false
}

// numberTime reads event time in milliseconds.
func numberTime(s string) (event.Time, bool) {
	switch n := event.Normal(number(s)).(type) {
	case int64:
		return event.Time(n), true
	case float64:
		if math.Abs(n) < math.MaxInt64 {
			return event.Time(n), true
		}
	}
	return 0, false
}

// unescapeNames settles the names of all members. Without it the parser looks for a name as it is written first and
// without its escapes second, and the first of two equal names would not always count.
func unescapeNames(v *fastjson.Value) {
	switch v.Type() {
	case fastjson.TypeObject:
		v.GetObject().Visit(func(_ []byte, member *fastjson.Value) { unescapeNames(member) })
	case fastjson.TypeArray:
		for _, element := range v.GetArray() {
			unescapeNames(element)
		}
	default: // it has no members
	}
}

// keySeed is that of the sums of this process: nothing that leaves it depends on it.
var keySeed = maphash.MakeSeed()

// mayRepeat is false only when no key stands more than once in an object of v: it looks at sums of keys.
func (d *draft) mayRepeat(v *fastjson.Value) bool {
	switch v.Type() {
	case fastjson.TypeObject:
		const few = 32
		begin := len(d.sums) // those of the objects around this one stand before it
		var many map[uint64]struct{}
		found := false
		v.GetObject().Visit(func(key []byte, member *fastjson.Value) {
			if found || isContainer(member) && d.mayRepeat(member) {
				found = true
				return
			}
			sum := maphash.Bytes(keySeed, key)
			if many == nil && len(d.sums)-begin >= few {
				many = make(map[uint64]struct{}, 2*few)
				for _, known := range d.sums[begin:] {
					many[known] = struct{}{}
				}
			}
			if many != nil {
				_, found = many[sum]
				many[sum] = struct{}{}
				return
			}
			found = slices.Contains(d.sums[begin:], sum)
			d.sums = append(d.sums, sum)
		})
		d.sums = d.sums[:begin]
		return found
	case fastjson.TypeArray:
		for _, element := range v.GetArray() {
			if isContainer(element) && d.mayRepeat(element) {
				return true
			}
		}
	default: // it has no members
	}
	return false
}

// duplicates says which keys stand more than once in an object of v, at most a few of them.
func duplicates(v *fastjson.Value) []string {
	const most = 10
	var warnings []string
	var walk func(v *fastjson.Value, path []string)
	walk = func(v *fastjson.Value, path []string) {
		switch v.Type() {
		case fastjson.TypeObject:
			seen := make(map[string]bool, v.GetObject().Len())
			v.GetObject().Visit(func(key []byte, member *fastjson.Value) {
				name := string(key)
				if seen[name] {
					if len(warnings) < most {
						warnings = append(warnings, fmt.Sprintf("the key %q stands more than once in %s: its first value counts", name, place(path)))
					}
					return
				}
				seen[name] = true
				if isContainer(member) {
					walk(member, append(path[:len(path):len(path)], name))
				}
			})
		case fastjson.TypeArray:
			for i, element := range v.GetArray() {
				if isContainer(element) {
					walk(element, append(path[:len(path):len(path)], strconv.Itoa(i)))
				}
			}
		default: // it has no members
		}
	}
	walk(v, nil)
	return warnings
}

func isContainer(v *fastjson.Value) bool {
	return v.Type() == fastjson.TypeObject || v.Type() == fastjson.TypeArray
}

func place(path []string) string {
	if len(path) == 0 {
		return "the record"
	}
	return "`" + strings.Join(path, ".") + "`"
}
