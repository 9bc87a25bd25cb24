package ocisim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strconv"
	"time"
)

// headerNextCursor is the header of GetMessages that says where to go on.
const headerNextCursor = "Opc-Next-Cursor"

// getMessages gives the messages at a cursor: of its partition, or of one of those that its group's instance reads.
// A page may be empty though there are more, and the cursor goes on all the same.
func getMessages(q *request, s *stream) (*answer, *apiError) {
	limit, err := q.limit(maxStreamMessages, maxStreamMessages)
	if err != nil {
		return nil, err
	}
	c, err := q.readStream(s)
	if err != nil {
		return nil, err
	}
	var g *consumerGroup
	key, partitions := "partition "+strconv.Itoa(c.Partition), 1
	if c.Group != "" {
		if g, err = s.member(c, q.now); err != nil {
			return nil, err
		}
		partitions = 0
		for _, r := range g.reserved {
			if r.instance == c.Instance {
				partitions++
			}
		}
		key = "group " + c.Group + "/" + c.Instance
	}
	if s.throttled(key, maxStreamGets*max(partitions, 1), q.now) {
		return nil, &apiError{http.StatusTooManyRequests, "TooManyRequests", "The rate of GET requests exceeds the limit."}
	}
	if g != nil && c.Commits {
		// What the cursor stands behind counts as read. A partition that has another reader now is that one's.
		for number, at := range c.Stands {
			if g.reserved[number].grant == at.Grant {
				g.next[number], g.saved[number] = at.Next, true
			}
		}
	}
	ans := &answer{page: true}
	number, from := s.chosen(c, g, q.now)
	if number < 0 || q.emptyAt(s.pageOf(c), q.sim.config.EmptyPages) {
		number = -1
	}
	next := c
	next.Step++
	next.Stands = standing(c, g)
	if number >= 0 {
		taken := s.take(ans, number, from, limit)
		if g == nil {
			next.Next = from + taken
		} else {
			next.Turn = number
			next.Stands[number] = stand{Grant: g.reserved[number].grant, Next: from + taken}
		}
	}
	ans.wrap = func(item []byte) []byte {
		return fmt.Appendf(nil, `{"stream":%q,"partition":"%d","key":null,"value":%s,"offset":null,"timestamp":%q}`, s.name, max(number, 0), item, stamp(q.now))
	}
	q.header.Set(headerNextCursor, q.sim.tokens.issueStream(next, q.now))
	return ans, nil
}

// pageOf lets the pages of a cursor be empty by chance as those of a listing are: the same cursor, the same page.
func (s *stream) pageOf(c streamCursor) cursor {
	h := fnv.New64a()
	_, _ = h.Write([]byte(s.id + c.Group + c.Instance + strconv.Itoa(c.Partition)))
	return cursor{query: h.Sum64(), step: c.Step}
}

// throttled counts a GET and tells whether there were too many within a second.
func (s *stream) throttled(key string, most int, now time.Time) bool {
	var last []time.Time
	for _, at := range s.gets[key] {
		if now.Sub(at) < time.Second {
			last = append(last, at)
		}
	}
	if len(last) >= most {
		s.gets[key] = last
		return true
	}
	s.gets[key] = append(last, now)
	return false
}

// chosen gives the partition that the next page comes from, and its first offset; -1 where there is nothing to read.
// The partitions of an instance take turns.
func (s *stream) chosen(c streamCursor, g *consumerGroup, now time.Time) (number int, from int64) {
	if g == nil {
		p := s.partitions[c.Partition]
		from = max(c.Next, p.oldest(now))
		if from >= p.end() {
			return -1, 0
		}
		return c.Partition, from
	}
	for i := range s.partitions {
		number = (c.Turn + 1 + i) % len(s.partitions)
		if g.reserved[number].instance != c.Instance {
			continue
		}
		p := s.partitions[number]
		if from = max(g.position(c, number), p.oldest(now)); from < p.end() {
			return number, from
		}
	}
	return -1, 0
}

// standing is where the cursor stands in the partitions that are still its instance's.
func standing(c streamCursor, g *consumerGroup) map[int]stand {
	if g == nil {
		return nil
	}
	stands := map[int]stand{}
	for number, at := range c.Stands {
		if g.reserved[number].grant == at.Grant {
			stands[number] = at
		}
	}
	return stands
}

// take puts messages into a page, as many as there are, as the limit allows and as fit, at least one.
func (s *stream) take(ans *answer, number int, from int64, limit int) int64 {
	p := s.partitions[number]
	size, taken := 0, int64(0)
	for offset := from; offset < p.end() && len(ans.items) < limit; offset++ {
		e := p.log[offset]
		item := s.message(number, offset, e)
		if size += len(item); size > maxStreamPage && taken > 0 {
			break
		}
		ans.items = append(ans.items, item)
		taken++
	}
	return taken
}

func (s *stream) message(number int, offset int64, e entry) []byte {
	key := json.RawMessage("null")
	if e.key != nil {
		key = encode(base64.StdEncoding.EncodeToString(e.key))
	}
	return encode(struct {
		Stream    string          `json:"stream"`
		Partition string          `json:"partition"`
		Key       json.RawMessage `json:"key"`
		Value     string          `json:"value"`
		Offset    int64           `json:"offset"`
		Timestamp string          `json:"timestamp"`
	}{s.name, strconv.Itoa(number), key, base64.StdEncoding.EncodeToString(s.value(e)), offset, stamp(e.at)})
}
