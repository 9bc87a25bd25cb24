package rule

import (
	"strings"
	"unicode/utf8"
)

// Glob is a text with wildcards: `*` stands for any number of characters, `?` for one.
type Glob struct {
	tokens []globToken
	cased  bool
}

type globToken struct {
	kind globKind
	char rune
}

type globKind uint8

const (
	globChar globKind = iota
	globOne
	globMany
)

// newGlob reads a text with Sigma's escapes: `\*`, `\?` and `\\` are the characters themselves; any other backslash is itself.
func newGlob(text string, cased bool) *Glob {
	if !cased {
		text = strings.ToLower(text)
	}
	g := &Glob{cased: cased}
	runes := []rune(text)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '\\' && i+1 < len(runes) && (runes[i+1] == '*' || runes[i+1] == '?' || runes[i+1] == '\\'):
			i++
			g.tokens = append(g.tokens, globToken{char: runes[i]})
		case r == '*':
			if n := len(g.tokens); n > 0 && g.tokens[n-1].kind == globMany {
				continue
			}
			g.tokens = append(g.tokens, globToken{kind: globMany})
		case r == '?':
			g.tokens = append(g.tokens, globToken{kind: globOne})
		default:
			g.tokens = append(g.tokens, globToken{char: r})
		}
	}
	return g
}

// ParseGlob reads a value of a rule: it gives the text where the value has no wildcard, else the glob.
func ParseGlob(value string, cased bool) (string, *Glob) {
	g := newGlob(value, cased)
	if g.wild() {
		return "", g
	}
	text, _ := literal(newGlob(value, true).tokens)
	return text, nil
}

// wild says whether the text has a wildcard at all.
func (g *Glob) wild() bool {
	for _, t := range g.tokens {
		if t.kind != globChar {
			return true
		}
	}
	return false
}

// literal gives the text of the tokens, which are all characters.
func literal(tokens []globToken) (string, bool) {
	var b strings.Builder
	for _, t := range tokens {
		if t.kind != globChar {
			return "", false
		}
		b.WriteRune(t.char)
	}
	return b.String(), true
}

// Match says whether the whole of s has the form of the glob.
func (g *Glob) Match(s string) bool {
	if !g.cased && !ascii(s) {
		s = strings.ToLower(s)
	}
	// star is the token after the last `*`, resume the place in s where it was tried.
	at, star, resume := 0, -1, 0
	i := 0
	for i < len(s) {
		r, size := decode(s[i:], g.cased)
		switch {
		case at < len(g.tokens) && g.tokens[at].kind == globMany:
			at++
			star, resume = at, i
			continue
		case at < len(g.tokens) && (g.tokens[at].kind == globOne || g.tokens[at].char == r):
			at++
			i += size
			continue
		case star < 0:
			return false
		}
		_, size = decode(s[resume:], true)
		resume += size
		at, i = star, resume
	}
	for at < len(g.tokens) && g.tokens[at].kind == globMany {
		at++
	}
	return at == len(g.tokens)
}

// decode gives the next character, in lower case where case counts nothing: s is lower case already unless it is ASCII.
func decode(s string, cased bool) (rune, int) {
	if c := s[0]; c < 0x80 {
		if !cased && c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		return rune(c), 1
	}
	return utf8.DecodeRuneInString(s)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
