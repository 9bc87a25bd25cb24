package rule

import (
	"encoding/base64"
	"encoding/binary"
	"unicode/utf16"

	"gopkg.in/yaml.v3"
)

// variants applies the modifiers that change the value, and gives the test for each form that comes out.
// set gets a form; plain is true where it has no wildcards because it is an encoding.
func (d *document) variants(c *comparison, t *Test, s string, n *yaml.Node, set func(t *Test, s string, plain bool)) Condition {
	forms, plain := []string{s}, false
	if c.flags["windash"] {
		forms = dashes(s)
	}
	wide := c.flags["wide"] || c.flags["utf16"] || c.flags["utf16le"] || c.flags["utf16be"]
	encode := c.flags["base64"] || c.flags["base64offset"]
	if wide && !encode {
		d.errorf(n, "a text in UTF-16 cannot stand in JSON: `|wide` and `|utf16` go with base64 or base64offset")
		return nil
	}
	if encode {
		plain = true
		forms = encodings(c, forms)
	}
	tests := make(Any, len(forms))
	for i, form := range forms {
		own := *t
		own.Cased = own.Cased || plain
		set(&own, form, plain)
		tests[i] = &own
	}
	if len(tests) == 1 {
		return tests[0]
	}
	return tests
}

// maxDashes is how many dashes of one value are written in each way; a fourth stays as it is.
const maxDashes = 3

// dashes gives the text with each way of writing the dashes before options of a command line.
func dashes(s string) []string {
	forms := []string{""}
	found := 0
	for i, c := range s {
		option := (c == '-' || c == '/') && (i == 0 || s[i-1] == ' ') && found < maxDashes
		if !option {
			for f := range forms {
				forms[f] += string(c)
			}
			continue
		}
		found++
		var next []string
		for _, form := range forms {
			for _, dash := range []string{"-", "/", "\u2013", "\u2014", "\u2015"} {
				next = append(next, form+dash)
			}
		}
		forms = next
	}
	return forms
}

func encodings(c *comparison, forms []string) []string {
	var out []string
	for _, s := range forms {
		b := []byte(s)
		switch {
		case c.flags["wide"] || c.flags["utf16le"]:
			b = inUTF16(s, binary.LittleEndian, nil)
		case c.flags["utf16be"]:
			b = inUTF16(s, binary.BigEndian, nil)
		case c.flags["utf16"]:
			b = inUTF16(s, binary.LittleEndian, []byte{0xff, 0xfe})
		}
		if !c.flags["base64offset"] {
			out = append(out, base64.StdEncoding.EncodeToString(b))
			continue
		}
		// The text begins at any of three offsets; the letters that depend on its neighbors are cut off.
		for offset, cut := range []struct{ front, back int }{{0, 0}, {2, 0}, {3, 0}} {
			coded := base64.StdEncoding.EncodeToString(append(make([]byte, offset), b...))
			back := []int{0, 3, 2}[(offset+len(b))%3]
			out = append(out, coded[cut.front:len(coded)-back])
		}
	}
	return out
}

func inUTF16(s string, order binary.AppendByteOrder, b []byte) []byte {
	for _, unit := range utf16.Encode([]rune(s)) {
		b = order.AppendUint16(b, unit)
	}
	return b
}
