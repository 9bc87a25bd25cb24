package sample

import (
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// generator gives the same values for the same seed on every machine (splitmix64).
type generator uint64

func seeded(parts ...string) generator {
	const prime = 1099511628211
	h := uint64(14695981039346656037)
	for _, part := range parts {
		for i := range len(part) {
			h = (h ^ uint64(part[i])) * prime
		}
		h = (h ^ 0xff) * prime
	}
	return generator(h)
}

func (g *generator) next() uint64 {
	*g += 0x9e3779b97f4a7c15
	z := uint64(*g)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (g *generator) below(n int) int { return int(g.next() % uint64(n)) }

func (g *generator) text(n int, alphabet string) string {
	var b strings.Builder
	b.Grow(n)
	var bits uint64
	for i := range n {
		if i%8 == 0 {
			bits = g.next()
		}
		b.WriteByte(alphabet[bits%uint64(len(alphabet))])
		bits >>= 8
	}
	return b.String()
}

const (
	base32Letters = "abcdefghijklmnopqrstuvwxyz234567"
	hexLetters    = "0123456789abcdef"
	upperHex      = "0123456789ABCDEF"
)

func (g *generator) uuid() string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], g.next())
	binary.BigEndian.PutUint64(raw[8:], g.next())
	raw[6] = raw[6]&0x0f | 0x40
	raw[8] = raw[8]&0x3f | 0x80
	var out [36]byte
	hex.Encode(out[0:8], raw[0:4])
	hex.Encode(out[9:13], raw[4:6])
	hex.Encode(out[14:18], raw[6:8])
	hex.Encode(out[19:23], raw[8:10])
	hex.Encode(out[24:], raw[10:])
	out[8], out[13], out[18], out[23] = '-', '-', '-', '-'
	return string(out[:])
}

func (g *generator) fingerprint() string {
	const bytes = 16
	text := g.text(2*bytes, hexLetters)
	var b strings.Builder
	for i := 0; i < len(text); i += 2 {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(text[i : i+2])
	}
	return b.String()
}

// UUID gives an id that depends on the parts only.
func UUID(parts ...string) string {
	g := seeded(parts...)
	return g.uuid()
}

// OCID gives an Oracle Cloud identifier that depends on its arguments only.
// The kind is that of a resource, as `user` or `instance`; the region is "" for what belongs to no region.
func OCID(kind, region string, parts ...string) string {
	g := seeded(append([]string{kind, region}, parts...)...)
	return "ocid1." + kind + ".oc1." + RegionKey(region) + ".aaaaaaaa" + g.text(52, base32Letters)
}

// regionKeys are the three letters by which identifiers name a region; regions that came later are named in full.
var regionKeys = map[string]string{
	"us-phoenix-1": "phx", "us-ashburn-1": "iad", "eu-frankfurt-1": "eu-frankfurt-1", "uk-london-1": "uk-london-1",
}

// RegionKey gives the name of a region inside identifiers.
func RegionKey(region string) string {
	if key, ok := regionKeys[region]; ok {
		return key
	}
	return region
}
