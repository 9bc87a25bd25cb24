package oci

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Page is one page of a list, its items as the API returned them.
type Page struct {
	Items []Item
	// Next is the token of the next page, "" on the last. A page without items may have one.
	Next      string
	RequestID string
	// Date is Oracle's time when it answered.
	Date time.Time
}

// Item is one record of a page.
type Item struct {
	// Raw are the bytes of the record as the API returned them.
	Raw []byte
	// ID names the record; Time is when it happened. They are zero where the record does not say.
	ID   string
	Time time.Time
	// Content are the bytes of the event inside the record, where a record wraps one; Compartment is where it says that it happened.
	Content     []byte
	Compartment string
	// Err says what is wrong with the record, nil where nothing is.
	Err error
}

// form says where a list stands in a body and how its items are named.
type form struct {
	// list is the name of the field that holds the list, "" where the body is the list.
	list string
	id   string
	time string
	// item reads an item, where it is not one with a name and a time at its top.
	item func(raw []byte) Item
}

// split cuts a body into its items without decoding them: one malformed item never loses the others.
func split(body []byte, f form) ([]Item, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	list := body
	if f.list != "" {
		found := false
		err := fields(body, func(name, value []byte) {
			if string(name) == f.list && !found {
				list, found = value, true
			}
		})
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, fmt.Errorf("the body has no field %s", f.list)
		}
	}
	list = bytes.TrimSpace(list)
	if len(list) == 0 || list[0] != '[' {
		return nil, fmt.Errorf("the body is no list but begins with %.20q", list)
	}
	var items []Item
	rest, first := skip(list[1:]), true
	for {
		if len(rest) == 0 {
			return nil, errors.New("the list is cut off")
		}
		if rest[0] == ']' {
			if len(skip(rest[1:])) > 0 {
				return nil, errors.New("something stands after the list")
			}
			return items, nil
		}
		if !first {
			if rest[0] != ',' {
				return nil, errors.New("the list is broken between two items")
			}
			rest = skip(rest[1:])
		}
		first = false
		item, n, err := f.next(rest)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
		rest = skip(rest[n:])
	}
}

// next reads the item at the start of rest. One that is whole and valid is read in one go; what is wrong with another is found out patiently.
func (f form) next(rest []byte) (item Item, length int, err error) {
	var found named
	whole := func(name, value []byte) { found.see(f, name, value) }
	if f.item != nil {
		whole = nil
	}
	n, ok := object(rest, whole)
	if !ok {
		if n, err = extent(rest); err != nil {
			return item, 0, err
		}
		return read(rest[:n:n], f), n, nil
	}
	raw := rest[:n:n]
	if f.item != nil {
		return f.item(raw), n, nil
	}
	return found.item(f, Item{Raw: raw}), n, nil
}

// read finds the id and the time of an item.
func read(raw []byte, f form) Item {
	if f.item != nil {
		return f.item(raw)
	}
	item := Item{Raw: raw}
	switch {
	case raw[0] != '{':
		item.Err = fmt.Errorf("the record is no object but begins with %.20q", raw)
		return item
	case !valid(raw):
		item.Err = errors.New("the record is no valid JSON")
	}
	var found named
	err := fields(raw, func(name, value []byte) { found.see(f, name, value) })
	if item.Err == nil {
		item.Err = err
	}
	return found.item(f, item)
}

// named are the fields of an item that name it and its time.
type named struct{ id, when string }

func (n *named) see(f form, name, value []byte) {
	switch string(name) {
	case f.id:
		n.id, _ = text(value)
	case f.time:
		n.when, _ = text(value)
	}
}

// item completes an item by its fields.
func (n *named) item(f form, item Item) Item {
	item.ID = n.id
	if item.ID == "" && item.Err == nil {
		item.Err = fmt.Errorf("the record has no %s", f.id)
	}
	at, ok := moment(n.when)
	item.Time = at
	if !ok && item.Err == nil {
		item.Err = fmt.Errorf("the record's %s is no RFC 3339 time but %.40q", f.time, n.when)
	}
	return item
}

// moment reads a time of a record, in UTC. What another zone would move out of the years that have four digits is none:
// it could not be written again.
func moment(s string) (time.Time, bool) {
	at, err := time.Parse(time.RFC3339Nano, s)
	at = at.UTC()
	if err != nil || at.Year() < 0 || at.Year() > 9999 {
		return time.Time{}, false
	}
	return at, true
}

// fields calls fn for each field at the top of an object; names are given as they are written, without quotes.
func fields(object []byte, fn func(name, value []byte)) error {
	rest := skip(object)
	if len(rest) == 0 || rest[0] != '{' {
		return fmt.Errorf("the body is no object but begins with %.20q", rest)
	}
	rest = skip(rest[1:])
	for first := true; ; first = false {
		if len(rest) == 0 {
			return errors.New("the object is cut off")
		}
		if rest[0] == '}' {
			return nil
		}
		if !first {
			if rest[0] != ',' {
				return errors.New("the object is broken between two fields")
			}
			rest = skip(rest[1:])
		}
		n, err := extent(rest)
		if err != nil {
			return err
		}
		if n < 2 || rest[0] != '"' {
			return errors.New("the object has a field without a name")
		}
		name := rest[1 : n-1]
		rest = skip(rest[n:])
		if len(rest) == 0 || rest[0] != ':' {
			return errors.New("the object has a field without a value")
		}
		rest = skip(rest[1:])
		if n, err = extent(rest); err != nil {
			return err
		}
		fn(name, rest[:n:n])
		rest = skip(rest[n:])
	}
}

// extent gives the length of the value at the start of b. It looks at quotes and brackets only,
// so that an item with a mistake inside still has an end.
func extent(b []byte) (int, error) {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			end, ok := endOfString(b, i)
			if !ok {
				return 0, errors.New("a string has no end")
			}
			i = end
			if depth == 0 {
				return i + 1, nil
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				if i == 0 {
					return 0, errors.New("a value is missing")
				}
				return i, nil
			}
			if depth--; depth == 0 {
				return i + 1, nil
			}
		case ',', ':', ' ', '\t', '\r', '\n':
			if depth > 0 {
				continue
			}
			if i == 0 {
				return 0, errors.New("a value is missing")
			}
			return i, nil
		}
	}
	return 0, errors.New("a value is cut off")
}

// endOfString gives the position of the quote that ends the string beginning at b[i].
func endOfString(b []byte, i int) (int, bool) {
	for j := i + 1; ; j++ {
		n := bytes.IndexByte(b[j:], '"')
		if n < 0 {
			return 0, false
		}
		j += n
		escapes := 0
		for b[j-1-escapes] == '\\' && j-1-escapes > i {
			escapes++
		}
		if escapes%2 == 0 {
			return j, true
		}
	}
}

func skip(b []byte) []byte { return bytes.TrimLeft(b, " \t\r\n") }

// text reads a JSON string.
func text(value []byte) (string, bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if !bytes.ContainsRune(value, '\\') {
		return string(value[1 : len(value)-1]), true
	}
	var s string
	return s, json.Unmarshal(value, &s) == nil
}
