package normalize

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"
)

// appendJSON writes the object behind dst, its members in the order in which they were set.
func (o *object) appendJSON(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range o.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		f := &o.fields[i]
		dst = append(appendText(dst, f.name), ':')
		dst = f.appendJSON(dst)
	}
	return append(dst, '}')
}

func (n *node) appendJSON(dst []byte) []byte {
	switch n.kind {
	case isText:
		return appendText(dst, n.text)
	case isObject:
		return n.object.appendJSON(dst)
	case isList:
		dst = append(dst, '[')
		for i := range n.list {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = n.list[i].appendJSON(dst)
		}
		return append(dst, ']')
	case isWhole:
		return strconv.AppendInt(dst, n.whole, 10)
	case isFixed:
	}
	switch v := n.fixed.(type) {
	case string:
		return appendText(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case bool:
		return strconv.AppendBool(dst, v)
	case nil:
		return append(dst, "null"...)
	}
	b, err := json.Marshal(n.fixed)
	if err != nil {
		return append(dst, "null"...) // cannot be: number lets no float through that JSON has not
	}
	return append(dst, b...)
}

const hexDigits = "0123456789abcdef"

// appendText writes a JSON string. What is no UTF-8 becomes U+FFFD, as everywhere in Go.
func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	begin := 0
	for i := 0; i < len(s); {
		if i+8 <= len(s) && plain(s[i:i+8]) {
			i += 8
			continue
		}
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			if r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(append(dst, s[begin:i]...), `\ufffd`...)
			i++
			begin = i
			continue
		}
		dst = append(dst, s[begin:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&0xf])
		}
		i++
		begin = i
	}
	return append(append(dst, s[begin:]...), '"')
}

// plain says of eight bytes that none of them has to be escaped; false says nothing.
func plain(s string) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	_ = s[7]
	x := uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56 // one load
	control := x - ones*' '        // the high bit of what is below a space
	quote := x ^ ones*'"' - ones   // of a quotation mark
	escape := x ^ ones*'\\' - ones // of a backslash
	return (x|control|quote|escape)&high == 0
}
