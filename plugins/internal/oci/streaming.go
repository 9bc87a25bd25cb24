package oci

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// The operations of the Streaming API, named as in Oracle's API reference.
const (
	opGetStream         = "GetStream"
	opCreateCursor      = "CreateCursor"
	opCreateGroupCursor = "CreateGroupCursor"
	opGetMessages       = "GetMessages"
	opConsumerCommit    = "ConsumerCommit"
	opConsumerHeartbeat = "ConsumerHeartbeat"
	opGetGroup          = "GetGroup"
)

// MaxStreamMessages is the largest number of messages that one page of a stream may be asked for.
const MaxStreamMessages = 10_000

var streamingService = service{"streaming", "https://streaming.{region}.oci.{secondLevelDomain}", "/20180418"}

// Stream is a stream as the control plane describes it.
type Stream struct {
	ID, Name, Region string
	Compartment      string
	State            string
	Partitions       int
	// endpoint is where its messages are, which is a host of its own.
	endpoint string
}

// Stream asks where a stream is.
// See https://docs.oracle.com/iaas/api/#/en/streaming/20180418/Stream/GetStream.
func (c *Client) Stream(ctx context.Context, region, id string) (Stream, error) {
	var s Stream
	err := c.stream(ctx, call{
		operation: opGetStream, region: region,
		decode: func(a *answer) error {
			var body struct {
				ID               string `json:"id"`
				Name             string `json:"name"`
				CompartmentID    string `json:"compartmentId"`
				LifecycleState   string `json:"lifecycleState"`
				Partitions       int    `json:"partitions"`
				MessagesEndpoint string `json:"messagesEndpoint"`
			}
			if err := json.Unmarshal(a.body, &body); err != nil {
				return err
			}
			if body.Partitions < 1 || body.Partitions > maxPartitions {
				return fmt.Errorf("the stream has %d partitions", body.Partitions)
			}
			at, err := parseEndpoint(body.MessagesEndpoint)
			if err != nil || body.MessagesEndpoint == "" {
				return errors.New("the stream's messagesEndpoint is no https URL")
			}
			s = Stream{
				ID: id, Name: body.Name, Region: region, Compartment: body.CompartmentID, State: body.LifecycleState, Partitions: body.Partitions,
				endpoint: at.template,
			}
			return nil
		},
	}, id)
	return s, err
}

// maxPartitions bounds what is believed of a description.
const maxPartitions = 10_000

// Beginning says where a new cursor begins. The zero value is the oldest message that the stream still has.
type Beginning struct {
	// At begins at the first message that was appended at that time or later; zero: not.
	At time.Time
	// After begins behind the message of an offset, in a cursor of one partition; nil: not.
	After *int64
}

func (b Beginning) body() map[string]any {
	switch {
	case b.After != nil:
		return map[string]any{"type": "AFTER_OFFSET", "offset": *b.After}
	case !b.At.IsZero():
		return map[string]any{"type": "AT_TIME", "time": b.At.UTC().Format("2006-01-02T15:04:05.000Z")}
	}
	return map[string]any{"type": "TRIM_HORIZON"}
}

// PartitionCursor makes a cursor for one partition.
func (c *Client) PartitionCursor(ctx context.Context, s Stream, partition string, from Beginning) (string, error) {
	body := from.body()
	body["partition"] = partition
	return c.cursor(ctx, s, call{operation: opCreateCursor, path: "/cursors"}, body)
}

// Consumer is an instance of a consumer group.
type Consumer struct {
	Group, Instance string
	// Timeout is how long the instance may be silent before others get its partitions.
	Timeout time.Duration
	// From is where the group begins, if it is made now.
	From Beginning
}

// GroupCursor makes the instance part of its group, and gives a cursor for all partitions that it is assigned.
// Messages are committed by Commit only, never because they were read.
func (c *Client) GroupCursor(ctx context.Context, s Stream, who Consumer) (string, error) {
	body := who.From.body()
	body["groupName"], body["instanceName"] = who.Group, who.Instance
	body["timeoutInMs"], body["commitOnGet"] = who.Timeout.Milliseconds(), false
	return c.cursor(ctx, s, call{operation: opCreateGroupCursor, path: "/groupCursors"}, body)
}

// Commit commits what was read up to a group's cursor, and gives the cursor to go on with.
func (c *Client) Commit(ctx context.Context, s Stream, cursor string) (string, error) {
	return c.cursor(ctx, s, call{operation: opConsumerCommit, path: "/commit", query: url.Values{"cursor": {cursor}}}, nil)
}

// Heartbeat says that the instance of a group's cursor is at work, and gives the cursor to go on with.
func (c *Client) Heartbeat(ctx context.Context, s Stream, cursor string) (string, error) {
	return c.cursor(ctx, s, call{operation: opConsumerHeartbeat, path: "/heartbeat", query: url.Values{"cursor": {cursor}}}, nil)
}

// cursor makes a call that answers with a cursor. A nil body is an empty one.
func (c *Client) cursor(ctx context.Context, s Stream, what call, body map[string]any) (string, error) {
	what.body = []byte{}
	if body != nil {
		var err error
		if what.body, err = json.Marshal(body); err != nil {
			return "", fmt.Errorf("writing the request %s: %w", what.operation, err)
		}
	}
	value := ""
	what.region, what.base = s.Region, s.endpoint
	what.decode = func(a *answer) error {
		var body struct {
			Value string `json:"value"`
		}
		if err := json.Unmarshal(a.body, &body); err != nil {
			return err
		}
		if body.Value == "" {
			return errors.New("the answer holds no cursor")
		}
		value = body.Value
		return nil
	}
	return value, c.stream(ctx, what, s.ID)
}

// Reservation is what a consumer group knows of a partition.
type Reservation struct {
	Partition string
	// Instance reads it, "" where none does.
	Instance string
	// Committed is the offset of the last message that was committed, nil where none was.
	Committed *int64
}

// Reservations says who in a group reads which partition, and how far each is committed.
func (c *Client) Reservations(ctx context.Context, s Stream, group string) ([]Reservation, error) {
	var list []Reservation
	err := c.stream(ctx, call{
		operation: opGetGroup, region: s.Region, base: s.endpoint, path: "/groups/" + url.PathEscape(group),
		decode: func(a *answer) error {
			var body struct {
				Reservations []struct {
					Partition        string `json:"partition"`
					ReservedInstance string `json:"reservedInstance"`
					CommittedOffset  *int64 `json:"committedOffset"`
				} `json:"reservations"`
			}
			if err := json.Unmarshal(a.body, &body); err != nil {
				return err
			}
			list = nil
			for _, r := range body.Reservations {
				list = append(list, Reservation{Partition: r.Partition, Instance: r.ReservedInstance, Committed: r.CommittedOffset})
			}
			return nil
		},
	}, s.ID)
	return list, err
}

// StreamPage is one page of messages.
type StreamPage struct {
	Messages []StreamMessage
	// Next is the cursor to go on with, also where the page is empty.
	Next      string
	RequestID string
	// Date is Oracle's time when it answered.
	Date time.Time
}

// StreamMessage is one message of a stream.
type StreamMessage struct {
	// Value is what was put into the stream. Of a message that cannot be read it is the message as the API returned it.
	Value []byte
	// Key is empty where the message has none.
	Key       []byte
	Partition string
	// Offset counts the messages of a partition; -1 where the message does not say.
	Offset int64
	// Time is when the message was appended.
	Time time.Time
	// Err says what is wrong with the message, nil where nothing is.
	Err error
}

// StreamMessages reads one page. An empty one does not mean that there is no more.
// See https://docs.oracle.com/iaas/api/#/en/streaming/20180418/Message/GetMessages.
func (c *Client) StreamMessages(ctx context.Context, s Stream, cursor string, limit int) (StreamPage, error) {
	var page StreamPage
	err := c.stream(ctx, call{
		operation: opGetMessages, region: s.Region, base: s.endpoint, path: "/messages",
		query: url.Values{"cursor": {cursor}, "limit": {strconv.Itoa(limit)}},
		decode: func(a *answer) error {
			messages, err := streamMessages(a.body)
			if err != nil {
				return err
			}
			if a.cursor == "" {
				return errors.New("the page has no opc-next-cursor")
			}
			page = StreamPage{Messages: messages, Next: a.cursor, RequestID: a.requestID, Date: a.date}
			return nil
		},
	}, s.ID)
	return page, err
}

// streamMessages cuts a page into its messages. One that cannot be read never loses the others.
func streamMessages(body []byte) ([]StreamMessage, error) {
	var messages []StreamMessage
	_, err := split(body, form{item: func(raw []byte) Item {
		messages = append(messages, readMessage(raw))
		return Item{}
	}})
	return messages, err
}

func readMessage(raw []byte) StreamMessage {
	m := StreamMessage{Value: raw, Offset: -1}
	var key, value []byte
	err := fields(raw, func(name, v []byte) {
		switch string(name) {
		case "partition":
			m.Partition, _ = text(v)
		case "offset":
			if n, err := strconv.ParseInt(string(v), 10, 64); err == nil && n >= 0 {
				m.Offset = n
			}
		case "timestamp":
			s, _ := text(v)
			m.Time, _ = moment(s)
		case "key":
			key = v
		case "value":
			value = v
		}
	})
	switch {
	case err != nil:
		m.Err = err
		return m
	case value == nil:
		m.Err = errors.New("the message has no value")
		return m
	}
	decoded, err := unwrapped(value)
	if err != nil {
		m.Err = fmt.Errorf("the message's value is no base64 in a string but begins with %.20q", value)
		return m
	}
	m.Value = decoded
	if len(key) > 0 && string(key) != "null" {
		if m.Key, err = unwrapped(key); err != nil {
			m.Err = fmt.Errorf("the message's key is no base64 in a string but begins with %.20q", key)
			return m
		}
	}
	switch {
	case m.Offset < 0:
		m.Err = errors.New("the message has no offset")
	case m.Partition == "":
		m.Err = errors.New("the message names no partition")
	case m.Time.IsZero():
		m.Err = errors.New("the message's timestamp is no RFC 3339 time")
	}
	return m
}

// unwrapped reads base64 in a JSON string.
func unwrapped(value []byte) ([]byte, error) {
	if len(value) >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 {
		value = value[1 : len(value)-1]
		decoded := make([]byte, base64.StdEncoding.DecodedLen(len(value)))
		n, err := base64.StdEncoding.Decode(decoded, value)
		return decoded[:n], err
	}
	s, ok := text(value)
	if !ok {
		return nil, errors.New("it is no string")
	}
	return base64.StdEncoding.DecodeString(s)
}

// stream makes a call on a stream, and puts what is special about it into the sentence of its failure.
func (c *Client) stream(ctx context.Context, what call, id string) error {
	what.service, what.path = streamingService, "/streams/"+url.PathEscape(id)+what.path
	err := c.do(ctx, what)
	failure, ok := errors.AsType[*Error](err)
	if !ok {
		return err
	}
	said := strings.TrimSpace(fmt.Sprintf("%d %s %s", failure.Status, failure.Code, strings.TrimSuffix(failure.Message, ".")))
	failure.Subject = id
	switch {
	case failure.Kind == NoPermission:
		_, who, mend := c.credentials.identity().may("")
		failure.Sentence = fmt.Sprintf("%s in %s was refused (%s) because there is no stream %s in that region, or %s may not %s: add the policy statement `%s` %s, or correct stream_id and region",
			what.operation, failure.Region, said, id, who, permissions[what.operation].name, failure.Statement, mend)
	case failure.Status == http.StatusBadRequest && what.query.Has("cursor"):
		failure.Kind = StaleCursor
		failure.Sentence = fmt.Sprintf("%s in %s does not accept its cursor any more (%s, request %s): a new one is made, which begins behind what was delivered",
			what.operation, failure.Region, said, failure.RequestID)
	case failure.Status == http.StatusBadRequest:
		failure.Sentence = fmt.Sprintf("%s in %s was answered with %s (request %s): correct group, instance, partitions or start",
			what.operation, failure.Region, said, failure.RequestID)
	}
	return err
}

// StaleCursor is the kind of failure that a new cursor mends.
const StaleCursor Kind = "cursor"

// StreamScope says what a check of Streaming tries.
type StreamScope struct {
	Region, Stream string
	// Partitions to try; empty: all.
	Partitions []string
}

// CheckStreaming calls each operation that reading a stream needs, but joins no group and commits nothing:
// that would take partitions from the instances that are at work.
func CheckStreaming(ctx context.Context, open func() (*Client, error), scope StreamScope) Report {
	c := &checker{ctx: ctx}
	client, ok := c.open(open)
	if !ok {
		return c.skip(permissions[opGetStream].name, permissions[opGetMessages].name)
	}
	var s Stream
	c.try(opGetStream, func() (string, error) {
		var err error
		s, err = client.Stream(ctx, scope.Region, scope.Stream)
		if err == nil && s.State != "" && !strings.EqualFold(s.State, "ACTIVE") && !strings.EqualFold(s.State, "UPDATING") {
			return "", fmt.Errorf("the stream %s is %s: only an active stream can be read", s.Name, clean(s.State))
		}
		return clean(s.Name) + " with " + Counted(s.Partitions, "partition"), err
	})
	if s.ID == "" {
		// What its messages need cannot be tried without knowing where they are.
		c.dead = true
	}
	partitions := scope.Partitions
	for n := 0; len(scope.Partitions) == 0 && n < s.Partitions; n++ {
		partitions = append(partitions, strconv.Itoa(n))
	}
	c.try(opGetMessages, func() (string, error) {
		from := Beginning{At: client.Now().Add(-time.Hour)}
		for _, partition := range partitions {
			if err := c.countMessages(client, s, partition, from); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("%d messages in the last hour", c.report.Events), nil
	})
	return c.report
}

// countMessages reads a page of each partition: enough to see the permission, and that something comes.
func (c *checker) countMessages(client *Client, s Stream, partition string, from Beginning) error {
	cursor, err := client.PartitionCursor(c.ctx, s, partition, from)
	if err != nil {
		return err
	}
	page, err := client.StreamMessages(c.ctx, s, cursor, checkMessages)
	if err != nil {
		return err
	}
	c.report.Events += len(page.Messages)
	c.report.Partial = c.report.Partial || len(page.Messages) > 0
	for _, m := range page.Messages {
		if m.Time.After(c.report.Newest) {
			c.report.Newest = m.Time
		}
	}
	return nil
}

// checkMessages is how many messages a check asks for in each partition.
const checkMessages = 1000
