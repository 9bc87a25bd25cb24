package normalize

import (
	"bytes"
	"unicode/utf8"

	"github.com/valyala/fastjson"
)

// name is a name that Scan and TimeOf look for.
type name uint8

const (
	nameOther name = iota
	nameEventType
	nameEventID
	nameEventIDCapital
	nameEventTime
	nameType
	nameTime
	nameLogContent
	nameDetectorRuleID
	nameDetectorID
	nameClassUID
	nameTimeLastDetected
	nameClassName
	nameActivityName
	nameMetadata
	nameEventCode
	nameAPI
	nameOperation
)

func nameOf(key []byte) name {
	switch string(key) {
	case "eventType":
		return nameEventType
	case "eventId":
		return nameEventID
	case "eventID":
		return nameEventIDCapital
	case "eventTime":
		return nameEventTime
	case "type":
		return nameType
	case "time":
		return nameTime
	case "logContent":
		return nameLogContent
	case "detectorRuleId":
		return nameDetectorRuleID
	case "detectorId":
		return nameDetectorID
	case "class_uid":
		return nameClassUID
	case "timeLastDetected":
		return nameTimeLastDetected
	case "class_name":
		return nameClassName
	case "activity_name":
		return nameActivityName
	case "metadata":
		return nameMetadata
	case "event_code":
		return nameEventCode
	case "api":
		return nameAPI
	case "operation":
		return nameOperation
	}
	return nameOther
}

// members walks over the members of one object.
type members struct {
	b     []byte
	i     int
	key   []byte // without its quotes, escapes as written
	value []byte // never empty
}

// open steps over the brace; false where b is no object.
func (m *members) open() bool {
	m.i = space(m.b, 0)
	if m.i >= len(m.b) || m.b[m.i] != '{' {
		return false
	}
	m.i++
	return true
}

// next steps to the next member; false at the end and where b is not JSON.
func (m *members) next() bool {
	i := space(m.b, m.i)
	if i < len(m.b) && m.b[i] == ',' {
		i = space(m.b, i+1)
	}
	if i >= len(m.b) || m.b[i] != '"' {
		return false
	}
	end := skipString(m.b, i)
	if end < 0 {
		return false
	}
	m.key = m.b[i+1 : end-1]
	i = space(m.b, end)
	if i >= len(m.b) || m.b[i] != ':' {
		return false
	}
	i = space(m.b, i+1)
	end = skipValue(m.b, i)
	if end <= i {
		return false
	}
	m.value = m.b[i:end]
	m.i = end
	return true
}

// name tells which of the known names the key is; a key may be written with escapes.
func (m *members) name() name {
	if bytes.IndexByte(m.key, '\\') < 0 {
		return nameOf(m.key)
	}
	var buffer [128]byte
	plain, ok := unescape(buffer[:0], m.key)
	if !ok {
		return nameOther
	}
	return nameOf(plain)
}

// unescape appends key to dst, which must not grow; false where it does not fit or is no plain text.
func unescape(dst, key []byte) ([]byte, bool) {
	for i := 0; i < len(key); {
		if len(dst)+utf8.UTFMax > cap(dst) {
			return nil, false
		}
		if key[i] != '\\' {
			dst = append(dst, key[i])
			i++
			continue
		}
		if i+1 >= len(key) {
			return nil, false
		}
		switch c := key[i+1]; c {
		case '"', '\\', '/':
			dst = append(dst, c)
			i += 2
		case 'u':
			if i+6 > len(key) {
				return nil, false
			}
			var r rune
			for _, h := range key[i+2 : i+6] {
				d, ok := hexDigit(h)
				if !ok {
					return nil, false
				}
				r = r<<4 | d
			}
			dst = utf8.AppendRune(dst, r)
			i += 6
		default: // \b, \f, \n, \r, \t: in none of the names
			return nil, false
		}
	}
	return dst, true
}

func hexDigit(c byte) (rune, bool) {
	switch {
	case c >= '0' && c <= '9':
		return rune(c - '0'), true
	case c >= 'a' && c <= 'f':
		return rune(c-'a') + 10, true
	case c >= 'A' && c <= 'F':
		return rune(c-'A') + 10, true
	}
	return 0, false
}

// text gives what stands in the quotes of a JSON string.
func text(quoted []byte) []byte {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return quoted[1 : len(quoted)-1]
	}
	v, err := fastjson.ParseBytes(quoted) // the one parser: escapes mean what they mean in Normalize
	if err != nil {
		return quoted[1 : len(quoted)-1]
	}
	return v.GetStringBytes()
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString gives the index after the string that starts at i, or -1.
func skipString(b []byte, i int) int {
	for i++; i < len(b); {
		n := bytes.IndexByte(b[i:], '"')
		if n < 0 {
			return -1
		}
		end := i + n
		slashes := 0
		for k := end - 1; k >= i && b[k] == '\\'; k-- {
			slashes++
		}
		if slashes%2 == 0 {
			return end + 1
		}
		i = end + 1
	}
	return -1
}

// skipValue gives the index after the value that starts at i, or -1.
func skipValue(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
	default:
		for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
			i++
		}
		return i
	}
	depth := 0
	for i < len(b) {
		switch b[i] {
		case '"':
			if i = skipString(b, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// hasFold tells whether b starts with prefix, without regard to the case of ASCII letters.
func hasFold[T string | []byte](b T, prefix string) bool {
	if len(b) < len(prefix) {
		return false
	}
	for i := range len(prefix) {
		if lower(b[i]) != lower(prefix[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if c >= 'A' && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
