package ocisim

import (
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// Permissions of Streaming.
const (
	ReadStreams   = "streams"
	UseStreamPull = "stream-pull"
	UseStreamPush = "stream-push"
)

const (
	maxStreamMessages = 10_000
	maxStreamPage     = 1 << 20 // bytes of keys and values, as base64
	maxStreamKey      = 256
	maxStreamGets     = 5 // a second, for each partition of a group
)

// verbs are the methods of the operations that are not called by GET.
var verbs = map[string]string{
	searchLogsOperation: http.MethodPost,
	"CreateCursor":      http.MethodPost, "CreateGroupCursor": http.MethodPost, "PutMessages": http.MethodPost,
	"ConsumerCommit": http.MethodPost, "ConsumerHeartbeat": http.MethodPost, "UpdateGroup": http.MethodPut,
}

func verbOf(operation string) string {
	if verb, ok := verbs[operation]; ok {
		return verb
	}
	return http.MethodGet
}

// onStream makes a route of an operation on a stream: the stream must be there, in this region, and the permission, too.
func onStream(permission string, r func(*request, *stream) (*answer, *apiError)) func(string) route {
	return func(id string) route {
		return func(q *request) (*answer, *apiError) {
			s := q.tenancy.streams.of(q.tenancy, id)
			if s == nil || s.region != q.region || q.sim.denied(q.tenancy.id, permission, q.tenancy.id, q.region) {
				return nil, notFound()
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			s.advance(q.now)
			return r(q, s)
		}
	}
}

// streamBody gives a stream as GetStream and ListStreams do; retention only the first tells.
func (q *request) streamBody(s *stream, whole bool) []byte {
	doc := map[string]any{
		"id": s.id, "name": s.name, "partitions": len(s.partitions), "compartmentId": s.tenancy.id,
		"streamPoolId": sample.OCID("streampool", s.region, s.tenancy.id), "lifecycleState": "ACTIVE",
		"timeCreated": stamp(s.tenancy.compartments[0].created), "messagesEndpoint": q.messagesEndpoint(s),
		"freeformTags": map[string]any{}, "definedTags": map[string]any{},
	}
	if whole {
		doc["retentionInHours"] = int(s.tenancy.config.Retention / time.Hour)
		doc["lifecycleStateDetails"] = nil
	}
	return encode(doc)
}

// messagesEndpoint is where the stream's messages are: at the simulator's own address where it was called by one.
func (q *request) messagesEndpoint(s *stream) string {
	host, _, err := net.SplitHostPort(q.host)
	if err != nil {
		host = q.host
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsLoopback() {
		return "http://" + q.host + "/" + s.region
	}
	return "https://cell-1.streaming." + s.region + ".oci.oraclecloud.com"
}

func getStream(q *request, s *stream) (*answer, *apiError) {
	return &answer{body: q.streamBody(s, true)}, nil
}

func listStreams(q *request) (*answer, *apiError) {
	compartment, pool := q.query.Get("compartmentId"), q.query.Get("streamPoolId")
	if (compartment == "") == (pool == "") {
		return nil, invalid("One of compartmentId and streamPoolId is required, and not both.")
	}
	size, err := q.limit(10, 50)
	if err != nil {
		return nil, err
	}
	where := compartment
	if where == "" {
		where = q.tenancy.id
	}
	if q.tenancy.compartment(where) == nil || q.sim.denied(q.tenancy.id, ReadStreams, where, q.region) {
		return nil, notFound()
	}
	c, err := q.turn()
	if err != nil {
		return nil, err
	}
	var found []*stream
	for _, s := range q.tenancy.streams.all(q.tenancy) {
		if s.region != q.region || compartment != "" && compartment != s.tenancy.id ||
			pool != "" && pool != sample.OCID("streampool", s.region, s.tenancy.id) ||
			!anyOr(q.query.Get("name"), s.name) || !anyOr(q.query.Get("id"), s.id) {
			continue
		}
		found = append(found, s)
	}
	return q.list(c, len(found), size, 0, func(i int) []byte { return q.streamBody(found[i], false) }), nil
}

// cursorRequest is the body of CreateCursor, CreateGroupCursor and UpdateGroup.
type cursorRequest struct {
	Partition    string `json:"partition"`
	Type         string `json:"type"`
	Offset       *int64 `json:"offset"`
	Time         string `json:"time"`
	GroupName    string `json:"groupName"`
	InstanceName string `json:"instanceName"`
	TimeoutInMs  *int   `json:"timeoutInMs"`
	CommitOnGet  *bool  `json:"commitOnGet"`
}

func (q *request) readCursorRequest() (cursorRequest, *apiError) {
	var body cursorRequest
	if json.Unmarshal(q.body, &body) != nil {
		return body, &apiError{http.StatusBadRequest, "CannotParseRequest", "The body is no JSON of the operation's details."}
	}
	return body, nil
}

// start reads where a cursor of one of the types begins.
func (b cursorRequest) start(types ...string) (startAt, *apiError) {
	at := startAt{kind: b.Type}
	if b.Type == "" {
		return at, missing("type")
	}
	known := false
	for _, one := range types {
		known = known || one == b.Type
	}
	switch {
	case !known:
		return at, invalid("type is %q, want one of %s.", b.Type, strings.Join(types, ", "))
	case b.Type == cursorAtTime && b.Time == "":
		return at, missing("time")
	case (b.Type == cursorAtOffset || b.Type == cursorAfterOffset) && b.Offset == nil:
		return at, missing("offset")
	}
	if b.Offset != nil {
		at.offset = *b.Offset
	}
	if b.Type == cursorAtTime {
		parsed, err := time.Parse(time.RFC3339Nano, b.Time)
		if err != nil {
			return at, invalid("time is %q, want a time in RFC 3339.", b.Time)
		}
		at.time = parsed
	}
	return at, nil
}

func cursorAnswer(value string) *answer {
	return &answer{body: encode(map[string]string{"value": value})}
}

func createCursor(q *request, s *stream) (*answer, *apiError) {
	body, err := q.readCursorRequest()
	if err != nil {
		return nil, err
	}
	at, err := body.start(cursorAfterOffset, cursorAtOffset, cursorAtTime, cursorLatest, cursorTrimHorizon)
	if err != nil {
		return nil, err
	}
	number, ok := s.number(body.Partition)
	if !ok {
		return nil, invalid("There is no partition %q.", body.Partition)
	}
	p := s.partitions[number]
	// An offset must be between that of the oldest message and that of the newest.
	if body.Offset != nil && (at.offset < p.oldest(q.now) || at.offset >= p.end()) {
		return nil, invalid("The offset %d is not within the messages that the partition holds.", at.offset)
	}
	c := streamCursor{Stream: s.id, Partition: number, Next: at.in(p, q.now)}
	return cursorAnswer(q.sim.tokens.issueStream(c, q.now)), nil
}

func createGroupCursor(q *request, s *stream) (*answer, *apiError) {
	body, err := q.readCursorRequest()
	if err != nil {
		return nil, err
	}
	at, err := body.start(cursorAtTime, cursorLatest, cursorTrimHorizon)
	if err != nil {
		return nil, err
	}
	switch {
	case body.GroupName == "":
		return nil, missing("groupName")
	case len(body.GroupName) > maxGroupNameSize:
		return nil, invalid("groupName is longer than %d characters.", maxGroupNameSize)
	}
	if body.InstanceName == "" {
		s.serial++
		body.InstanceName = sample.UUID("instance", strconv.FormatUint(s.serial, 10))
	}
	timeout := defaultTimeout
	if body.TimeoutInMs != nil {
		timeout = time.Duration(*body.TimeoutInMs) * time.Millisecond
	}
	if timeout < minGroupTimeout || timeout > maxGroupTimeout {
		return nil, invalid("timeoutInMs is %d, want %d to %d.", timeout.Milliseconds(), minGroupTimeout.Milliseconds(), maxGroupTimeout.Milliseconds())
	}
	g, i, err := s.join(body.GroupName, body.InstanceName, timeout, at, q.now)
	if err != nil {
		return nil, err
	}
	c := streamCursor{Stream: s.id, Group: g.name, Instance: i.name, Session: i.session, Commits: body.CommitOnGet == nil || *body.CommitOnGet}
	return cursorAnswer(q.sim.tokens.issueStream(c, q.now)), nil
}

// consumerCommit saves where a cursor stands; consumerHeartbeat only says that its instance is alive.
func consumerCommit(q *request, s *stream) (*answer, *apiError) { return q.hold(s, true) }

func consumerHeartbeat(q *request, s *stream) (*answer, *apiError) { return q.hold(s, false) }

func (q *request) hold(s *stream, commit bool) (*answer, *apiError) {
	c, err := q.readStream(s)
	if err != nil {
		return nil, err
	}
	if c.Group == "" {
		return nil, invalid("The cursor is not a group's.")
	}
	g, err := s.member(c, q.now)
	if err != nil {
		return nil, err
	}
	if commit {
		if err := g.commit(c); err != nil {
			return nil, err
		}
	}
	return cursorAnswer(q.sim.tokens.issueStream(c, q.now)), nil
}

func getGroup(q *request, s *stream) (*answer, *apiError) {
	g := s.group(q.lastSegment(), q.now)
	if g == nil {
		return nil, notFound()
	}
	type reserved struct {
		Partition         string  `json:"partition"`
		CommittedOffset   *int64  `json:"committedOffset"`
		ReservedInstance  *string `json:"reservedInstance"`
		TimeReservedUntil *string `json:"timeReservedUntil"`
	}
	list := make([]reserved, len(s.partitions))
	for number := range s.partitions {
		list[number].Partition = strconv.Itoa(number)
		if g.saved[number] {
			offset := g.next[number] - 1
			list[number].CommittedOffset = &offset
		}
		if i := g.instances[g.reserved[number].instance]; i != nil {
			until := stamp(i.seen.Add(i.timeout))
			list[number].ReservedInstance, list[number].TimeReservedUntil = &i.name, &until
		}
	}
	return &answer{body: encode(map[string]any{"streamId": s.id, "groupName": g.name, "reservations": list})}, nil
}

// updateGroup moves a whole group to another place; its instances go on there with their next GET.
func updateGroup(q *request, s *stream) (*answer, *apiError) {
	body, err := q.readCursorRequest()
	if err != nil {
		return nil, err
	}
	at, err := body.start(cursorAtTime, cursorLatest, cursorTrimHorizon)
	if err != nil {
		return nil, err
	}
	g := s.group(q.lastSegment(), q.now)
	if g == nil {
		return nil, notFound()
	}
	for number, p := range s.partitions {
		s.serial++
		g.next[number], g.saved[number] = at.in(p, q.now), false
		g.reserved[number].grant = s.serial
	}
	return &answer{status: http.StatusNoContent}, nil
}

func (q *request) lastSegment() string {
	return q.path[strings.LastIndexByte(strings.TrimSuffix(q.path, "/"), '/')+1:]
}

func putMessages(q *request, s *stream) (*answer, *apiError) {
	var body struct {
		Messages []struct {
			Key   *string `json:"key"`
			Value *string `json:"value"`
		} `json:"messages"`
	}
	if json.Unmarshal(q.body, &body) != nil {
		return nil, &apiError{http.StatusBadRequest, "CannotParseRequest", "The body is no JSON of PutMessagesDetails."}
	}
	if len(body.Messages) == 0 {
		return nil, missing("messages")
	}
	type put struct{ key, value []byte }
	decoded := make([]put, len(body.Messages))
	size := 0
	for i, m := range body.Messages {
		if m.Value == nil {
			return nil, missing("value")
		}
		var err error
		if decoded[i].value, err = base64.StdEncoding.DecodeString(*m.Value); err != nil {
			return nil, invalid("The value of message %d is no base64.", i)
		}
		if m.Key != nil {
			if decoded[i].key, err = base64.StdEncoding.DecodeString(*m.Key); err != nil || len(decoded[i].key) > maxStreamKey {
				return nil, invalid("The key of message %d is no base64 of at most %d bytes.", i, maxStreamKey)
			}
		}
		size += len(decoded[i].key) + len(decoded[i].value)
	}
	if size > maxStreamPage {
		return nil, &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "The messages are larger than 1 MiB."}
	}
	type result struct {
		Partition string `json:"partition"`
		Offset    int64  `json:"offset"`
		Timestamp string `json:"timestamp"`
	}
	entries := make([]result, len(decoded))
	for i, m := range decoded {
		number, offset := s.append(m.key, m.value, q.now)
		entries[i] = result{strconv.Itoa(number), offset, stamp(q.now)}
	}
	return &answer{body: encode(map[string]any{"failures": 0, "entries": entries})}, nil
}
