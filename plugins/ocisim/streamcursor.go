package ocisim

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"time"
)

// cursorLife is how long a cursor can be used.
const cursorLife = 5 * time.Minute

// Types of cursors.
const (
	cursorAfterOffset = "AFTER_OFFSET"
	cursorAtOffset    = "AT_OFFSET"
	cursorAtTime      = "AT_TIME"
	cursorLatest      = "LATEST"
	cursorTrimHorizon = "TRIM_HORIZON"
)

// streamCursor is what a cursor holds: where one partition is read, or where the partitions of a group's instance are.
type streamCursor struct {
	Stream string `json:"stream"`
	// Partition and Next are those of a cursor without a group.
	Partition int   `json:"partition,omitempty"`
	Next      int64 `json:"next,omitempty"`

	Group    string        `json:"group,omitempty"`
	Instance string        `json:"instance,omitempty"`
	Session  uint64        `json:"session,omitempty"`
	Commits  bool          `json:"commits,omitempty"` // each GET commits what the one before gave
	Stands   map[int]stand `json:"stands,omitempty"`  // by partition
	Turn     int           `json:"turn,omitempty"`    // the partition that the last page came from

	Step   int   `json:"step,omitempty"` // pages so far
	Issued int64 `json:"issued"`         // ms
}

// stand is where a group's instance is in a partition, as long as it holds that grant.
type stand struct {
	Grant uint64 `json:"grant"`
	Next  int64  `json:"next"`
}

// issueStream writes a cursor so that only the mint can read it; it holds characters that a query must escape.
func (m tokenMint) issueStream(c streamCursor, now time.Time) string {
	c.Issued = now.UnixMilli()
	body := encode(c)
	return base64.StdEncoding.EncodeToString(append(m.mac(body), body...)) + "=="
}

// readStream reads the cursor of a call, which must be this stream's and not too old.
func (q *request) readStream(s *stream) (streamCursor, *apiError) {
	text := q.query.Get("cursor")
	if text == "" {
		return streamCursor{}, missing("cursor")
	}
	var c streamCursor
	if len(text) < 2 {
		return c, invalid("The cursor is not valid.")
	}
	raw, err := base64.StdEncoding.DecodeString(text[:len(text)-2])
	if err != nil || len(raw) < tokenMAC || !hmac.Equal(raw[:tokenMAC], q.sim.tokens.mac(raw[tokenMAC:])) || json.Unmarshal(raw[tokenMAC:], &c) != nil {
		return c, invalid("The cursor is not valid.")
	}
	switch {
	case c.Stream != s.id:
		return c, invalid("The cursor belongs to another stream.")
	case q.now.Sub(time.UnixMilli(c.Issued)) > cursorLife:
		return c, invalid("The cursor has expired.")
	}
	return c, nil
}
