package ocisim

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"
	"math"
	"strings"
	"time"
)

// cursor is where a listing stands between two pages.
type cursor struct {
	query  uint64    // hash of what was asked, so that a token fits its own query only
	offset int       // items given so far
	step   int       // pages given so far, empty ones too
	asOf   time.Time // the listing shows what was there when its first page was asked for
	issued time.Time
}

// tokenMint makes page tokens that only it can read.
type tokenMint struct{ secret []byte }

func newTokenMint(seed uint64) tokenMint {
	secret := binary.BigEndian.AppendUint64([]byte("page tokens "), seed)
	return tokenMint{secret: secret}
}

const (
	// tokenHead holds characters that a query must escape, as Oracle's tokens do.
	tokenHead  = "AP/7+f="
	tokenMAC   = 8
	tokenBytes = 5 * 8
)

func (m tokenMint) mac(body []byte) []byte {
	h := hmac.New(sha256.New, m.secret)
	h.Write(body)
	return h.Sum(nil)[:tokenMAC]
}

func (m tokenMint) issue(c cursor) string {
	body := make([]byte, 0, tokenBytes+tokenMAC)
	body = binary.BigEndian.AppendUint64(body, c.query)
	body = binary.BigEndian.AppendUint64(body, uint64(c.offset))
	body = binary.BigEndian.AppendUint64(body, uint64(c.step))
	body = binary.BigEndian.AppendUint64(body, uint64(c.asOf.UnixMilli()))
	body = binary.BigEndian.AppendUint64(body, uint64(c.issued.UnixMilli()))
	return tokenHead + base64.StdEncoding.EncodeToString(append(body, m.mac(body)...)) + "=="
}

func (m tokenMint) read(token string) (cursor, bool) {
	text, ok := strings.CutPrefix(token, tokenHead)
	if !ok {
		return cursor{}, false
	}
	text, ok = strings.CutSuffix(text, "==")
	if !ok {
		return cursor{}, false
	}
	body, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(body) != tokenBytes+tokenMAC || !hmac.Equal(body[tokenBytes:], m.mac(body[:tokenBytes])) {
		return cursor{}, false
	}
	at := func(i int) uint64 { return binary.BigEndian.Uint64(body[8*i:]) }
	return cursor{
		query: at(0), offset: int(at(1)), step: int(at(2)),
		asOf: time.UnixMilli(int64(at(3))).UTC(), issued: time.UnixMilli(int64(at(4))).UTC(),
	}, true
}

// queryHash depends on who asks where for what, the page left out.
func (q *request) queryHash() uint64 {
	h := fnv.New64a()
	without := make(map[string][]string, len(q.query))
	for name, values := range q.query {
		if name != "page" {
			without[name] = values
		}
	}
	for _, part := range []string{q.tenancy.id, q.region, q.path, encodeQuery(without)} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	h.Write(q.body)
	return h.Sum64()
}

// turn reads the page parameter: where the listing stands.
func (q *request) turn() (cursor, *apiError) {
	fresh := cursor{query: q.queryHash(), asOf: q.now, issued: q.now}
	if !q.query.Has("page") {
		return fresh, nil
	}
	c, ok := q.sim.tokens.read(q.query.Get("page"))
	switch {
	case !ok:
		return cursor{}, invalid("The page token is not valid.")
	case c.query != fresh.query:
		return cursor{}, invalid("The page token belongs to another query.")
	case q.now.Sub(c.issued) > q.sim.config.TokenLife:
		return cursor{}, invalid("The page token has expired.")
	}
	return c, nil
}

// list gives one page of a listing of n items, each made when it is needed.
// item(i) gives the i-th; its order is the caller's.
func (q *request) list(c cursor, n, size int, emptyPages float64, item func(int) []byte) *answer {
	ans := &answer{page: true}
	next := c
	next.issued = q.now
	next.step++
	if q.emptyAt(c, emptyPages) {
		ans.next = q.sim.tokens.issue(next)
		return ans
	}
	end := min(c.offset+size, n)
	for i := c.offset; i < end; i++ {
		ans.items = append(ans.items, item(i))
	}
	next.offset = end
	// A page that is full may be the last one: only the page after it can say so.
	if end < n || emptyPages > 0 && n > 0 && len(ans.items) == size {
		ans.next = q.sim.tokens.issue(next)
	}
	return ans
}

// emptyAt reports whether the page at c is an empty one that carries a token. No two follow each other.
func (q *request) emptyAt(c cursor, fraction float64) bool {
	run := 0
	for step := c.step; step >= 0 && q.drawn(c.query, step, fraction); step-- {
		run++
	}
	return run%2 == 1
}

func (q *request) drawn(query uint64, step int, fraction float64) bool {
	g := newGen(q.sim.config.Seed, query, uint64(step))
	return g.float() < fraction
}

// shuffle gives the place of the i-th of n items in an order that depends on the query only: pages are not sorted.
func shuffle(query uint64, i, n int) int {
	if n < 2 {
		return i
	}
	g := newGen(query)
	step := 1 + g.below(n-1)
	for gcd(step, n) != 1 {
		step = step%(n-1) + 1
	}
	return (i*step + g.below(n)) % n
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// gen gives the same numbers for the same seeds on every machine (splitmix64).
type gen uint64

func newGen(seeds ...uint64) gen {
	g := gen(0x243f6a8885a308d3)
	for _, seed := range seeds {
		g ^= gen(seed)
		g = gen(g.next())
	}
	return g
}

func (g *gen) next() uint64 {
	*g += 0x9e3779b97f4a7c15
	z := uint64(*g)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

func (g *gen) below(n int) int { return int(g.next() % uint64(max(n, 1))) }

// float gives a number from 0 up to 1, 1 left out.
func (g *gen) float() float64 { return float64(g.next()>>11) / (1 << 53) }

// wait gives a time that is mostly short and seldom long, mean on average.
func (g *gen) wait(mean time.Duration) time.Duration {
	return time.Duration(-math.Log(1-g.float()) * float64(mean))
}
