package window

import (
	"encoding/binary"
	"strings"
)

// Kinds of texts in a compact body. The identifiers of events, users and requests are most of what rests in memory,
// and say in 36, 60 or 64 letters what fits into 16, 38 or 32 bytes.
const (
	_ = iota // a text as it is
	// textUUID is 32 digits of lower case and their dashes.
	textUUID
	// textHex is an even number of hexadecimal digits of lower case.
	textHex
	// textBase32 is what stands behind the last dot of an OCID: letters of lower case and the digits 2 to 7.
	textBase32

	textKinds = 2 // bits
	// minPacked is the length from which packing pays.
	minPacked = 16
)

// text writes s in as few bytes as its kind needs; the reader gets s back.
func (c *Encoder) text(s string) {
	if len(s) < minPacked {
		c.plain(s)
		return
	}
	if len(s) == 36 && isUUID(s) {
		c.Uint(textUUID)
		c.b = appendHex(appendHex(appendHex(appendHex(appendHex(c.b, s[:8]), s[9:13]), s[14:18]), s[19:23]), s[24:])
		return
	}
	if len(s)%2 == 0 && isHex(s) {
		c.Uint(uint64(len(s)/2)<<textKinds | textHex)
		c.b = appendHex(c.b, s)
		return
	}
	dot := strings.LastIndexByte(s, '.') + 1
	if rest := s[dot:]; len(rest) >= minPacked && isBase32(rest) {
		c.Uint(uint64(dot)<<textKinds | textBase32)
		c.b = append(c.b, s[:dot]...)
		c.Uint(uint64(len(rest)))
		c.b = appendBase32(c.b, rest)
		return
	}
	c.plain(s)
}

func (c *Encoder) plain(s string) {
	c.Uint(uint64(len(s)) << textKinds)
	c.b = append(c.b, s...)
}

// text reads what Encoder.text wrote.
func (d *Decoder) text() string {
	head := d.Uint()
	n := head >> textKinds
	if n > uint64(len(d.b)) {
		d.fail("a text")
		return ""
	}
	switch head & (1<<textKinds - 1) {
	case textUUID:
		b := d.take(16)
		if len(b) < 16 {
			return ""
		}
		var out [36]byte
		at := 0
		for i, x := range b {
			if i == 4 || i == 6 || i == 8 || i == 10 {
				out[at] = '-'
				at++
			}
			out[at], out[at+1] = hexDigits[x>>4], hexDigits[x&15]
			at += 2
		}
		return string(out[:])
	case textHex:
		b := d.take(int(n))
		out := make([]byte, 0, 2*len(b))
		for _, x := range b {
			out = append(out, hexDigits[x>>4], hexDigits[x&15])
		}
		return string(out)
	case textBase32:
		head := d.take(int(n))
		letters := d.Uint()
		if letters > 8*uint64(len(d.b)) {
			d.fail("a text")
			return ""
		}
		packed := d.take((5*int(letters) + 7) / 8)
		if d.err != nil {
			return ""
		}
		out := make([]byte, 0, len(head)+int(letters))
		return string(appendLetters(append(out, head...), packed, int(letters)))
	}
	return string(d.take(int(n)))
}

const (
	hexDigits    = "0123456789abcdef"
	base32Digits = "abcdefghijklmnopqrstuvwxyz234567"
)

// Classes of letters.
const (
	classHex byte = 1 << iota
	classBase32
)

// classes has the classes of each letter.
var classes = func() (of [256]byte) {
	for i := range len(hexDigits) {
		of[hexDigits[i]] |= classHex
	}
	for i := range len(base32Digits) {
		of[base32Digits[i]] |= classBase32
	}
	return of
}()

// all says whether all letters of s are of a class. Most texts that are not say so in their first letters.
func all(s string, class byte) bool {
	for ; len(s) >= 4; s = s[4:] {
		if classes[s[0]]&classes[s[1]]&classes[s[2]]&classes[s[3]]&class == 0 {
			return false
		}
	}
	for i := range len(s) {
		if classes[s[i]]&class == 0 {
			return false
		}
	}
	return true
}

func isHex(s string) bool { return all(s, classHex) }

func isUUID(s string) bool {
	return s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-' &&
		isHex(s[:8]) && isHex(s[9:13]) && isHex(s[14:18]) && isHex(s[19:23]) && isHex(s[24:])
}

func hexValue(b byte) byte {
	if b >= 'a' {
		return b - 'a' + 10
	}
	return b - '0'
}

func appendHex(dst []byte, s string) []byte {
	for i := 0; i+1 < len(s); i += 2 {
		dst = append(dst, hexValue(s[i])<<4|hexValue(s[i+1]))
	}
	return dst
}

func isBase32(s string) bool { return all(s, classBase32) }

// appendBase32 packs eight letters into five bytes, the last ones as far as they go.
func appendBase32(dst []byte, s string) []byte {
	for len(s) > 0 {
		n := min(len(s), 8)
		var bits uint64
		for i := range n {
			v := uint64(s[i] - 'a')
			if s[i] <= '7' {
				v = uint64(s[i]-'2') + 26
			}
			bits |= v << (59 - 5*i)
		}
		var block [8]byte
		binary.BigEndian.PutUint64(block[:], bits)
		dst = append(dst, block[:(5*n+7)/8]...)
		s = s[n:]
	}
	return dst
}

func appendLetters(dst, packed []byte, letters int) []byte {
	for letters > 0 {
		n := min(letters, 8)
		var block [8]byte
		size := (5*n + 7) / 8
		copy(block[:], packed[:size])
		packed = packed[size:]
		bits := binary.BigEndian.Uint64(block[:])
		for i := range n {
			dst = append(dst, base32Digits[bits>>(59-5*i)&31])
		}
		letters -= n
	}
	return dst
}
