package expr

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// many is the number of arguments of a function that takes any number of them.
const many = 100

// function is a function of values.
type function struct {
	least, most int
	usage       string
	// nulls is true where the function is called with nulls; else its value is null as soon as an argument is.
	nulls bool
	call  func(args []any) any
	// prepare checks the arguments that are literals, and may give a faster form; nil where nothing can be checked.
	prepare func(literals []any) (*function, error)
	// inEnv is called instead of call by a function that reads a table; what follows says of which, by how many keys, and what.
	inEnv  func(env Env, args []any) any
	table  string
	keys   int
	column string
}

var functions map[string]*function

func init() {
	functions = map[string]*function{
		"lower":       {least: 1, most: 1, usage: "lower(text), in lower case", call: onText(strings.ToLower)},
		"upper":       {least: 1, most: 1, usage: "upper(text), in upper case", call: onText(strings.ToUpper)},
		"trim":        {least: 1, most: 1, usage: "trim(text), without blanks around it", call: onText(strings.TrimSpace)},
		"ltrim":       {least: 1, most: 1, usage: "ltrim(text), without blanks before it", call: onText(trimLeft)},
		"rtrim":       {least: 1, most: 1, usage: "rtrim(text), without blanks behind it", call: onText(trimRight)},
		"between":     {least: 3, most: 3, usage: "between(value, least, most), both included: numbers, IP addresses or texts", call: between},
		"int":         {least: 1, most: 1, usage: "int(text or number), without its fraction; null where the text is no number", call: whole},
		"len":         {least: 1, most: 1, usage: "len(text or list), the number of characters or elements", call: length},
		"substr":      {least: 2, most: 3, usage: "substr(text, start, length), start from 0", call: substring},
		"replace":     {least: 3, most: 3, usage: "replace(text, old, new), each old by new", call: replaceText},
		"contains":    {least: 2, most: 2, usage: "contains(text or list, part), true where part is in it; case counts", call: contains},
		"startswith":  {least: 2, most: 2, usage: "startswith(text, part), case counts", call: onTexts(strings.HasPrefix)},
		"endswith":    {least: 2, most: 2, usage: "endswith(text, part), case counts", call: onTexts(strings.HasSuffix)},
		"matches":     {least: 2, most: 2, usage: `matches(text, "regular expression"), RE2, anywhere in the text`, prepare: prepareMatches},
		"extract":     {least: 2, most: 2, usage: `extract(text, "regular expression with a (group)"), the text of the group`, prepare: prepareExtract},
		"cidr":        {least: 2, most: 3, usage: "cidr(ip, bits of IPv4, bits of IPv6), the network: cidr(src_endpoint.ip, 24, 48)", call: network, prepare: prepareNetwork},
		"hour":        {least: 1, most: 2, usage: `hour(time, "+02:00"), 0 to 23, in UTC where no offset is given`, call: hour, prepare: prepareClock(hour)},
		"weekday":     {least: 1, most: 2, usage: `weekday(time, "+02:00"), Monday is 1 and Sunday 7`, call: weekday, prepare: prepareClock(weekday)},
		"coalesce":    {least: 1, most: many, nulls: true, usage: "coalesce(value, value, ...), the first that is not null", call: coalesce},
		"if":          {least: 3, most: 3, nulls: true, usage: "if(condition, value, else), else also where the condition is null", call: choose},
		"abs":         {least: 1, most: 1, usage: "abs(number), without its sign", call: onNumber(math.Abs)},
		"floor":       {least: 1, most: 1, usage: "floor(number), the whole number below", call: onNumber(math.Floor)},
		"ceil":        {least: 1, most: 1, usage: "ceil(number), the whole number above", call: onNumber(math.Ceil)},
		"log":         {least: 1, most: 1, usage: "log(number), the natural logarithm", call: onNumber(math.Log)},
		"round":       {least: 1, most: 2, usage: "round(number, digits), whole where digits is left out", call: round},
		"nonnegative": {least: 1, most: 1, usage: "nonnegative(number), null below zero", call: nonnegative},
		"number":      {least: 1, most: 1, usage: "number(text or number), null where the text is no number", call: toNumber},
		"string":      {least: 1, most: 1, usage: "string(value), as a title shows it", call: func(args []any) any { return Text(args[0]) }},
		"tuple":       {least: 1, most: many, usage: "tuple(value, value, ...), several values as one, to count them together: distinct(tuple(a, b))", call: func(args []any) any { return encoded(args) }},
	}
	maps.Copy(functions, lookups())
}

// Functions gives the names of all functions, sorted.
func Functions() []string { return names(functions) }

func names[T any](m map[string]T) []string {
	all := make([]string, 0, len(m))
	for name := range m {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

// Usage gives how a function or an aggregate is written, or "" where there is none of that name.
func Usage(name string) string {
	if fn := functions[name]; fn != nil {
		return fn.usage
	}
	return aggregates[name].usage
}

func onText(f func(string) string) func([]any) any {
	return func(args []any) any {
		if s, ok := args[0].(string); ok {
			return f(s)
		}
		return nil
	}
}

func onTexts(f func(s, part string) bool) func([]any) any {
	return func(args []any) any {
		part, ok := args[1].(string)
		if !ok {
			return nil
		}
		switch s := args[0].(type) {
		case string:
			return f(s, part)
		case []any:
			return anyOf(s, func(x any) any {
				text, isText := x.(string)
				return isText && f(text, part)
			})
		}
		return nil
	}
}

func onNumber(f func(float64) float64) func([]any) any {
	return func(args []any) any {
		if n, ok := Number(args[0]); ok {
			return finite(f(n))
		}
		return nil
	}
}

func length(args []any) any {
	switch v := args[0].(type) {
	case string:
		return int64(utf8.RuneCountInString(v))
	case []any:
		return int64(len(v))
	}
	return nil
}

func substring(args []any) any {
	s, ok := args[0].(string)
	start, isWhole := args[1].(int64)
	if !ok || !isWhole || start < 0 {
		return nil
	}
	runes := []rune(s)
	start = min(start, int64(len(runes)))
	end := int64(len(runes))
	if len(args) == 3 {
		count, isCount := args[2].(int64)
		if !isCount || count < 0 {
			return nil
		}
		end = start + min(count, end-start)
	}
	return string(runes[start:end])
}

func replaceText(args []any) any {
	s, ok1 := args[0].(string)
	old, ok2 := args[1].(string)
	with, ok3 := args[2].(string)
	if !ok1 || !ok2 || !ok3 || old == "" || len(s)+strings.Count(s, old)*len(with) > maxString {
		return nil
	}
	return strings.ReplaceAll(s, old, with)
}

func contains(args []any) any {
	if list, ok := args[0].([]any); ok {
		return anyOf(list, func(x any) any { return Equal(x, args[1]) })
	}
	return onTexts(strings.Contains)(args)
}

// maxPattern is the longest regular expression of a rule.
const maxPattern = 2048

func compilePattern(literals []any) (*regexp.Regexp, error) {
	text, ok := literals[1].(string)
	if !ok {
		return nil, errors.New("the regular expression is a text in quotes, so that it can be checked when the rule is read")
	}
	if len(text) > maxPattern {
		return nil, fmt.Errorf("the regular expression is longer than %d bytes", maxPattern)
	}
	return regexp.Compile(text)
}

func prepareMatches(literals []any) (*function, error) {
	re, err := compilePattern(literals)
	if err != nil {
		return nil, err
	}
	return &function{call: func(args []any) any {
		return onTexts(func(s, _ string) bool { return re.MatchString(s) })(args)
	}}, nil
}

func prepareExtract(literals []any) (*function, error) {
	re, err := compilePattern(literals)
	if err != nil {
		return nil, err
	}
	if re.NumSubexp() != 1 {
		return nil, errors.New("the regular expression has one (group), which is what is extracted")
	}
	return &function{call: func(args []any) any {
		s, ok := args[0].(string)
		if !ok {
			return nil
		}
		if found := re.FindStringSubmatch(s); found != nil {
			return found[1]
		}
		return nil
	}}, nil
}

func prepareNetwork(literals []any) (*function, error) {
	for i, most := range []int64{32, 128} {
		if i+1 >= len(literals) || literals[i+1] == nil {
			continue
		}
		if bits, ok := literals[i+1].(int64); !ok || bits < 0 || bits > most {
			return nil, fmt.Errorf("the bits of IPv%d are a number from 0 to %d", 4+2*i, most)
		}
	}
	return &function{call: network}, nil
}

// network gives the network of an address: cidr("10.1.2.3", 24, 48) is "10.1.2.0/24".
func network(args []any) any {
	text, ok := args[0].(string)
	if !ok {
		return nil
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return nil
	}
	ip = ip.Unmap().WithZone("")
	bits, ok := args[1].(int64)
	if ip.Is6() {
		bits, ok = 64, true
		if len(args) == 3 {
			bits, ok = args[2].(int64)
		}
	}
	if !ok || bits < 0 || bits > int64(ip.BitLen()) {
		return nil
	}
	prefix, err := ip.Prefix(int(bits))
	if err != nil {
		return nil
	}
	return prefix.String()
}

func prepareClock(call func([]any) any) func([]any) (*function, error) {
	return func(literals []any) (*function, error) {
		if len(literals) == 2 {
			if _, ok := offset(literals[1]); !ok {
				return nil, errors.New(`the offset from UTC is a text such as "+02:00"`)
			}
		}
		return &function{call: call}, nil
	}
}

func offset(v any) (*time.Location, bool) {
	text, ok := v.(string)
	if !ok {
		return nil, false
	}
	t, err := time.Parse("-07:00", text)
	if err != nil {
		return nil, false
	}
	return t.Location(), true
}

// clock reads a time: milliseconds since 1970, or RFC 3339.
func clock(args []any) (time.Time, bool) {
	zone := time.UTC
	if len(args) == 2 {
		var ok bool
		if zone, ok = offset(args[1]); !ok {
			return time.Time{}, false
		}
	}
	switch v := args[0].(type) {
	case int64:
		return time.UnixMilli(v).In(zone), true
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		return t.In(zone), err == nil
	}
	return time.Time{}, false
}

func hour(args []any) any {
	if t, ok := clock(args); ok {
		return int64(t.Hour())
	}
	return nil
}

func weekday(args []any) any {
	if t, ok := clock(args); ok {
		return int64((t.Weekday()+6)%7) + 1
	}
	return nil
}

func coalesce(args []any) any {
	for _, a := range args {
		if a != nil {
			return a
		}
	}
	return nil
}

func choose(args []any) any {
	if args[0] == true {
		return args[1]
	}
	return args[2]
}

func round(args []any) any {
	n, ok := Number(args[0])
	if !ok {
		return nil
	}
	if len(args) == 1 {
		return finite(math.Round(n))
	}
	digits, ok := args[1].(int64)
	if !ok || digits < 0 || digits > 15 {
		return nil
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(n, 'f', int(digits), 64), 64)
	if err != nil {
		return nil
	}
	return finite(rounded)
}

func nonnegative(args []any) any {
	if n, ok := Number(args[0]); ok && n >= 0 {
		return args[0]
	}
	return nil
}

func toNumber(args []any) any {
	switch v := args[0].(type) {
	case int64, float64:
		return v
	case string:
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return n
		}
		if f, err := strconv.ParseFloat(v, 64); err == nil && decimal(v) {
			return finite(f)
		}
	}
	return nil
}

// encoded gives a value as JSON, keys sorted; two values with the same text are the same.
func encoded(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(text)
}
