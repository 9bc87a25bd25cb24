package expr

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"benthos-oci/plugins/internal/event"
)

// Limits of an expression: rules are data from others.
const (
	maxText   = 8 << 10
	maxNodes  = 1000
	maxDepth  = 64
	maxString = 64 << 10
)

// Error says what is wrong with an expression, and where.
type Error struct {
	// Offset is where it is wrong, in bytes from the start of the text.
	Offset int
	Text   string
}

// Error gives the text without the offset: whoever knows the file puts the position before it.
func (e *Error) Error() string { return e.Text }

func errorAt(offset int, format string, args ...any) error {
	return &Error{Offset: offset, Text: fmt.Sprintf(format, args...)}
}

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenDuration
	tokenString
	tokenName // a path, or a word of the language
	tokenSign
)

type token struct {
	kind   tokenKind
	offset int
	// text is the sign, or the source of the token.
	text string
	// value of a literal: int64, float64 or string; a duration is int64 milliseconds.
	value any
	path  event.Path
}

// word says whether the token is that word of the language.
func (t token) word(w string) bool { return t.kind == tokenName && t.text == w }

func (t token) sign(s string) bool { return t.kind == tokenSign && t.text == s }

func (t token) String() string {
	if t.kind == tokenEnd {
		return "the end"
	}
	return strconv.Quote(t.text)
}

var keywords = map[string]bool{
	"and": true, "or": true, "not": true, "in": true, "is": true, "true": true, "false": true, "null": true,
}

// signs, longer ones first.
var signs = []string{"==", "!=", "<>", "<=", ">=", "&&", "||", "<", ">", "=", "+", "-", "*", "/", "%", "(", ")", "[", "]", ",", "!"}

func letterByte(c byte) bool {
	return c == '_' || c == '@' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
func digitByte(c byte) bool { return c >= '0' && c <= '9' }

// lex splits the text into tokens, the last of which is tokenEnd.
func lex(src string) ([]token, error) {
	if len(src) > maxText {
		return nil, errorAt(0, "the expression is longer than %d bytes", maxText)
	}
	if !utf8.ValidString(src) {
		return nil, errorAt(0, "the expression is not valid UTF-8")
	}
	var tokens []token
	for i := 0; i < len(src); {
		c := src[i]
		var t token
		var err error
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case digitByte(c):
			t, err = lexNumber(src, i)
		case c == '"' && pathFollows(src, i):
			t, err = lexName(src, i)
		case c == '"' || c == '\'':
			t, err = lexString(src, i)
		case letterByte(c), c == '`':
			t, err = lexName(src, i)
		default:
			t, err = lexSign(src, i)
		}
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		i = t.offset + len(t.text)
	}
	return append(tokens, token{kind: tokenEnd, offset: len(src)}), nil
}

// pathFollows says whether the double-quoted text at i is the first name of a path: `"a-b".c`. A name has no escapes.
func pathFollows(src string, i int) bool {
	end := strings.IndexByte(src[i+1:], '"')
	if end < 0 {
		return false
	}
	next := i + end + 2
	return next < len(src) && src[next] == '.' && !strings.Contains(src[i:next], `\`)
}

func lexSign(src string, i int) (token, error) {
	for _, s := range signs {
		if !strings.HasPrefix(src[i:], s) {
			continue
		}
		switch s {
		case "&&":
			return token{}, errorAt(i, "write `and` instead of &&")
		case "||":
			return token{}, errorAt(i, "write `or` instead of ||")
		case "!":
			return token{}, errorAt(i, "write `not` instead of !")
		}
		return token{kind: tokenSign, offset: i, text: s}, nil
	}
	r, _ := utf8.DecodeRuneInString(src[i:])
	if r == '$' || r == '{' {
		return token{}, errorAt(i, "%q cannot stand in an expression: a field is written as it is, as in user.name", r)
	}
	return token{}, errorAt(i, "%q cannot stand in an expression", r)
}

func lexNumber(src string, i int) (token, error) {
	end := i
	for end < len(src) && (digitByte(src[end]) || letterByte(src[end]) || src[end] == '.' ||
		(src[end] == '+' || src[end] == '-') && exponent(src[i:end])) {
		end++
	}
	text := src[i:end]
	t := token{kind: tokenNumber, offset: i, text: text}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		t.value = n
		return t, nil
	}
	if decimal(text) {
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			t.value = event.Normal(f)
			return t, nil
		}
	}
	d, err := ParseDuration(text)
	if err != nil {
		return token{}, errorAt(i, "%q is neither a number nor a duration: %v", text, ErrDuration)
	}
	t.kind, t.value = tokenDuration, d.Milliseconds()
	return t, nil
}

// exponent says whether s is a number up to its e: 1.5e.
func exponent(s string) bool {
	last := len(s) - 1
	return last > 0 && (s[last] == 'e' || s[last] == 'E') && decimal(s[:last])
}

// decimal says whether s has only what a decimal number has: neither hexadecimal digits, nor underscores, nor inf.
func decimal(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case digitByte(c), c == '.', c == 'e', c == 'E', c == '+', c == '-':
		default:
			return false
		}
	}
	return true
}

func lexString(src string, i int) (token, error) {
	quote := src[i]
	for end := i + 1; end < len(src); end++ {
		switch c := src[end]; {
		case c == '\\' && quote == '"':
			end++
		case c == quote && quote == '\'' && end+1 < len(src) && src[end+1] == '\'':
			end++
		case c == quote:
			text := src[i : end+1]
			value := strings.ReplaceAll(text[1:len(text)-1], "''", "'")
			if quote == '"' {
				var err error
				if value, err = unquote(text); err != nil {
					return token{}, errorAt(i, `a string has an escape that is not known: \\, \", \n, \t, \r and \u0000 are`)
				}
			}
			return token{kind: tokenString, offset: i, text: text, value: value}, nil
		}
	}
	return token{}, errorAt(i, "a string is not closed")
}

// unquote reads a double-quoted string; unlike Go's, it may hold line breaks.
func unquote(text string) (string, error) {
	if !strings.ContainsRune(text, '\\') {
		return text[1 : len(text)-1], nil
	}
	value, err := strconv.Unquote(strings.ReplaceAll(text, "\n", `\n`))
	if err == nil && !utf8.ValidString(value) {
		return "", strconv.ErrSyntax
	}
	return value, err
}

func lexName(src string, i int) (token, error) {
	var path event.Path
	end := i
	for {
		if end < len(src) && (src[end] == '"' || src[end] == '`') {
			stop := strings.IndexByte(src[end+1:], src[end])
			if stop <= 0 {
				return token{}, errorAt(end, "a quoted name is empty or not closed")
			}
			name := src[end+1 : end+1+stop]
			if strings.ContainsAny(name, "\\`\"") {
				return token{}, errorAt(end, "a quoted name cannot hold a quote or a backslash")
			}
			path = append(path, name)
			end += stop + 2
		} else {
			start := end
			for end < len(src) && (letterByte(src[end]) || digitByte(src[end])) {
				end++
			}
			if start == end {
				return token{}, errorAt(end, "a name is missing after the dot")
			}
			path = append(path, src[start:end])
		}
		if end == len(src) || src[end] != '.' {
			break
		}
		end++
	}
	if end+1 < len(src) && src[end] == '-' && letterByte(src[end+1]) && src[end-1] != '"' {
		return token{}, errorAt(end, "a minus needs spaces around it; a name with a minus stands in quotes, as in raw.data.\"opc-request-id\"")
	}
	return token{kind: tokenName, offset: i, text: src[i:end], path: path}, nil
}
