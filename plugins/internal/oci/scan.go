package oci

import (
	"encoding/binary"
	"encoding/json"
	"math/bits"
)

// maxDepth is how deep encoding/json lets values lie in each other.
const maxDepth = 10_000

// object reads the JSON object at the start of b in one go: its length, that it is whole and valid, and the fields at its top,
// whose names are given as they are written, without quotes. field may be nil. Where it gives false nothing is certain:
// what was said of fields until then does not count, and extent finds out where the broken item ends.
func object(b []byte, field func(name, value []byte)) (length int, ok bool) {
	if len(b) == 0 || b[0] != '{' {
		return 0, false
	}
	var room [64]byte
	open := room[:0] // what is open, '{' or '['
	var name []byte
	begins, i := 0, 0
	for {
		// A value begins here.
		if i = blank(b, i); i >= len(b) {
			return 0, false
		}
		switch c := b[i]; c {
		case '{', '[':
			if len(open) >= maxDepth {
				return 0, false
			}
			open = append(open, c)
			if i = blank(b, i+1); i >= len(b) {
				return 0, false
			}
			if b[i] != c+2 { // ASCII has the closing bracket two behind the opening one
				if c == '[' {
					continue
				}
				var first []byte
				if first, i = fieldName(b, i); i < 0 {
					return 0, false
				}
				if len(open) == 1 {
					name, begins = first, blank(b, i)
				}
				continue
			}
			i++
			open = open[:len(open)-1]
		case '"':
			i = quoted(b, i)
		case 't':
			i = word(b, i, "true")
		case 'f':
			i = word(b, i, "false")
		case 'n':
			i = word(b, i, "null")
		default:
			i = number(b, i)
		}
		if i < 0 {
			return 0, false
		}
		// A value has ended here, and with it perhaps those that it stands in.
		for more := false; !more; {
			if len(open) == 0 {
				return i, true
			}
			top := open[len(open)-1]
			if len(open) == 1 && field != nil {
				field(name, b[begins:i:i])
			}
			if i = blank(b, i); i >= len(b) {
				return 0, false
			}
			switch b[i] {
			case top + 2:
				i++
				open = open[:len(open)-1]
				continue
			case ',':
			default:
				return 0, false
			}
			i++
			if top == '{' {
				var last []byte
				if last, i = fieldName(b, blank(b, i)); i < 0 {
					return 0, false
				}
				if len(open) == 1 {
					name, begins = last, blank(b, i)
				}
			}
			more = true
		}
	}
}

// valid is json.Valid, sooner for an object.
func valid(b []byte) bool {
	if n, ok := object(b, nil); ok && blank(b, n) == len(b) {
		return true
	}
	return json.Valid(b)
}

// blank is where the next thing stands that is no white space, at i or behind.
func blank(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// fieldName reads the name of a field and its colon, and gives where its value may begin; -1 where there is none.
func fieldName(b []byte, i int) (name []byte, next int) {
	if i >= len(b) || b[i] != '"' {
		return nil, -1
	}
	end := quoted(b, i)
	if end < 0 {
		return nil, -1
	}
	if next = blank(b, end); next >= len(b) || b[next] != ':' {
		return nil, -1
	}
	return b[i+1 : end-1], next + 1
}

// Bytes eight times, to look at eight bytes of a string at once.
const (
	ones   = 0x0101010101010101
	highs  = 0x80 * ones
	quotes = '"' * ones
	slants = '\\' * ones
	spaces = ' ' * ones
)

// quoted gives where the string ends that begins at b[i]; -1 where it does not, or holds what no string may.
func quoted(b []byte, i int) int {
	for i++; ; {
		for i+8 <= len(b) {
			eight := binary.LittleEndian.Uint64(b[i:])
			q, s := eight^quotes, eight^slants
			// The lowest bit of each part is exact: a zero byte, or one below a space.
			if found := ((q-ones)&^q | (s-ones)&^s | (eight-spaces)&^eight) & highs; found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		if i >= len(b) {
			return -1
		}
		switch c := b[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c == '\\':
			if i = escape(b, i+1); i < 0 {
				return -1
			}
		default:
			i++
		}
	}
}

// escape gives where the text goes on behind the escape whose letter is b[i]; -1 where it is none.
func escape(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if i+5 > len(b) {
			return -1
		}
		for _, c := range b[i+1 : i+5] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

func word(b []byte, i int, want string) int {
	if len(b)-i < len(want) || string(b[i:i+len(want)]) != want {
		return -1
	}
	return i + len(want)
}

// number gives where the number ends that begins at b[i]; -1 where there is none.
func number(b []byte, i int) int {
	if i < len(b) && b[i] == '-' {
		i++
	}
	begin := i
	if i = digits(b, i); i < 0 || b[begin] == '0' && i > begin+1 {
		return -1
	}
	if i < len(b) && b[i] == '.' {
		if i = digits(b, i+1); i < 0 {
			return -1
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		i = digits(b, i)
	}
	return i
}

// digits gives where the digits end that begin at b[i]; -1 where there is none.
func digits(b []byte, i int) int {
	begin := i
	for i < len(b) && '0' <= b[i] && b[i] <= '9' {
		i++
	}
	if i == begin {
		return -1
	}
	return i
}
