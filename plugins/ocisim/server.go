package ocisim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// maxBody bounds what is read of a request.
const maxBody = 2 << 20

// request is a call on its way through the simulator.
type request struct {
	sim     *Sim
	tenancy *tenancy
	host    string // as the client named it
	region  string
	path    string // without the region and service that an endpoint puts before it
	query   url.Values
	body    []byte
	now     time.Time
	header  http.Header // of the answer
	call    Call
}

// answer is what a route gives: items of a page, or one value.
type answer struct {
	status int
	body   []byte   // one value
	items  [][]byte // a page; wrapped in {"items":[]} where enveloped
	page   bool
	inside bool   // the page stands in {"items":[]}
	head   string // what stands before the list of a page, and what behind it
	tail   string
	wrap   func([]byte) []byte // makes an item of this page of an audit event; nil: it is one
	next   string              // opc-next-page
}

// apiError is Oracle's error body.
type apiError struct {
	status  int
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.Code, e.Message) }

func notAuthenticated(message string) *apiError {
	return &apiError{http.StatusUnauthorized, "NotAuthenticated", message}
}

func notFound() *apiError {
	return &apiError{http.StatusNotFound, "NotAuthorizedOrNotFound", "Authorization failed or requested resource not found."}
}

func invalid(format string, args ...any) *apiError {
	return &apiError{http.StatusBadRequest, "InvalidParameter", fmt.Sprintf(format, args...)}
}

func missing(name string) *apiError {
	return &apiError{http.StatusBadRequest, "MissingParameter", fmt.Sprintf("The required parameter %s is missing.", name)}
}

// ServeHTTP answers one call.
// A leading path segment chooses the region, as does a host as audit.eu-frankfurt-1.oraclecloud.com; else it is the home region.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	now := s.config.Clock().UTC()
	req := &request{sim: s, now: now, query: r.URL.Query(), header: w.Header(), host: r.Host}
	req.region, req.path = splitPath(r)
	req.call = Call{Path: req.path, Query: r.URL.RawQuery, Time: now, Compartment: req.query.Get("compartmentId")}
	w.Header().Set("Date", now.Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Opc-Request-Id", s.requestID(r.Header.Get("Opc-Request-Id")))

	ans, effect, err := req.handle(r)
	req.call.Region = req.region
	if err != nil {
		ans = &answer{status: err.status, body: encode(err)}
	}
	if ans.status == 0 {
		ans.status = http.StatusOK
	}
	// Counted before it is sent: whoever has the answer finds it counted.
	req.call.Status = effect.seen(ans.status)
	s.counted(req.call)
	if ans.next != "" {
		w.Header().Set("Opc-Next-Page", ans.next)
	}
	effect.write(w, r, ans.status, ans.text())
}

func (q *request) handle(r *http.Request) (*answer, *Fault, *apiError) {
	if op, route := q.bearerRoute(); route != nil {
		return q.handleBearer(r, op, route)
	}
	if err := q.authenticate(r); err != nil {
		return nil, nil, err
	}
	if q.region == "" {
		q.region = q.tenancy.regions[0]
	}
	op, route := q.route(r.Method)
	q.call.Operation = op
	if op == searchLogsOperation {
		q.call.Compartment = q.firstSearched()
	}
	effect := q.sim.faults.match(q.call, q.region)
	if effect != nil && effect.Status >= 400 {
		return nil, effect, effect.apiError(q)
	}
	if route == nil {
		return nil, effect, notFound()
	}
	ans, err := route(q)
	if err != nil {
		return nil, effect, err
	}
	effect.spoil(q, ans)
	return ans, effect, nil
}

// handleBearer answers a request to the metadata service or for a token.
func (q *request) handleBearer(r *http.Request, op string, route func(*http.Request) (*answer, *apiError)) (*answer, *Fault, *apiError) {
	q.tenancy = q.sim.tenancies[0]
	if q.region == "" {
		q.region = q.tenancy.regions[0]
	}
	q.call.Operation, q.call.Tenancy = op, q.tenancy.id
	effect := q.sim.faults.match(q.call, q.region)
	if effect != nil && effect.Status >= 400 {
		return nil, effect, effect.apiError(q)
	}
	ans, err := route(r)
	return ans, effect, err
}

// readSigned reads the body, and gives what a signature covers.
func (q *request) readSigned(r *http.Request) (signedRequest, *apiError) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return signedRequest{}, invalid("The body could not be read.")
	}
	q.body = body
	signed := signedRequest{method: r.Method, target: r.RequestURI, host: r.Host, header: r.Header, body: body}
	if signed.target == "" {
		signed.target = r.URL.RequestURI()
	}
	if signed.hasBody() && r.Header.Get("Content-Length") == "" {
		signed.header = r.Header.Clone()
		signed.header.Set("Content-Length", strconv.FormatInt(max(r.ContentLength, 0), 10))
	}
	return signed, nil
}

// authenticate checks date, key and signature, in the order in which Oracle's gateway complains.
func (q *request) authenticate(r *http.Request) *apiError {
	const refused = "The required information to complete authentication was not provided or was incorrect."
	signed, failed := q.readSigned(r)
	if failed != nil {
		return failed
	}
	auth, err := readAuthorization(r.Header.Get("Authorization"))
	if err != nil {
		return notAuthenticated(refused)
	}
	tenancy, key, known := q.sim.caller(auth.keyID, q.now)
	if !known {
		return notAuthenticated(refused)
	}
	if failed := q.fresh(signed, auth); failed != nil {
		return failed
	}
	if signed.verify(auth, key) != nil {
		return notAuthenticated(refused)
	}
	for _, t := range q.sim.tenancies {
		if t.id == tenancy {
			q.tenancy = t
		}
	}
	q.call.Tenancy = q.tenancy.id
	if q.region != "" && !slices.Contains(q.tenancy.regions, q.region) {
		// A region that the tenancy is not subscribed to knows none of its users.
		return notAuthenticated(refused)
	}
	return nil
}

// fresh checks that the request was made a short while ago.
func (q *request) fresh(signed signedRequest, auth authorization) *apiError {
	at, err := signed.date(auth)
	if err != nil {
		return notAuthenticated("The required information to complete authentication was not provided or was incorrect.")
	}
	if skew := q.now.Sub(at); skew > maxSkew || skew < -maxSkew {
		return notAuthenticated(fmt.Sprintf("Date '%s' is not within allowed clock skew. Current '%s', valid datetime range: ['%s', '%s']",
			at.UTC().Format(http.TimeFormat), q.now.Format(http.TimeFormat),
			q.now.Add(-maxSkew).Format(http.TimeFormat), q.now.Add(maxSkew).Format(http.TimeFormat)))
	}
	return nil
}

type route func(*request) (*answer, *apiError)

// routes are the operations that the simulator answers; * stands for an identifier, which the route gets.
var routes = []struct {
	operation string
	path      []string
	answer    func(id string) route
}{
	{"ListEvents", []string{"20190901", "auditEvents"}, whole(listEvents)},
	{"GetAuditConfiguration", []string{"20190901", "configuration"}, whole(getAuditConfiguration)},
	{"ListCompartments", []string{"20160918", "compartments"}, whole(listCompartments)},
	{"GetCompartment", []string{"20160918", "compartments", "*"}, getCompartment},
	{"GetTenancy", []string{"20160918", "tenancies", "*"}, getTenancy},
	{"ListRegionSubscriptions", []string{"20160918", "tenancies", "*", "regionSubscriptions"}, listRegionSubscriptions},
	{"GetConfiguration", []string{"20200131", "configuration"}, whole(getConfiguration)},
	{"ListProblems", []string{"20200131", "problems"}, whole(listProblems)},
	{"GetProblem", []string{"20200131", "problems", "*"}, getProblem},
	{"ListProblemHistories", []string{"20200131", "problems", "*", "histories"}, listProblemHistories},
	{"ListProblemEndpoints", []string{"20200131", "problems", "*", "endpoints"}, listProblemEndpoints},
	{searchLogsOperation, []string{"20190909", "search"}, whole(searchLogs)},
	{"ListStreams", []string{"20180418", "streams"}, whole(listStreams)},
	{"GetStream", []string{"20180418", "streams", "*"}, onStream(ReadStreams, getStream)},
	{"CreateCursor", []string{"20180418", "streams", "*", "cursors"}, onStream(UseStreamPull, createCursor)},
	{"CreateGroupCursor", []string{"20180418", "streams", "*", "groupCursors"}, onStream(UseStreamPull, createGroupCursor)},
	{"GetMessages", []string{"20180418", "streams", "*", "messages"}, onStream(UseStreamPull, getMessages)},
	{"PutMessages", []string{"20180418", "streams", "*", "messages"}, onStream(UseStreamPush, putMessages)},
	{"ConsumerCommit", []string{"20180418", "streams", "*", "commit"}, onStream(UseStreamPull, consumerCommit)},
	{"ConsumerHeartbeat", []string{"20180418", "streams", "*", "heartbeat"}, onStream(UseStreamPull, consumerHeartbeat)},
	{"GetGroup", []string{"20180418", "streams", "*", "groups", "*"}, onStream(UseStreamPull, getGroup)},
	{"UpdateGroup", []string{"20180418", "streams", "*", "groups", "*"}, onStream(UseStreamPull, updateGroup)},
}

// whole makes a route of an operation that names no single resource.
func whole(r route) func(string) route { return func(string) route { return r } }

// Operations gives the names of the operations that the simulator answers, as faults and counts know them.
func Operations() []string {
	names := make([]string, len(routes))
	for i, r := range routes {
		names[i] = r.operation
	}
	return append(names, metadataOperation, federateOperation, workloadOperation)
}

// route finds what answers the call. An unknown one has no operation.
func (q *request) route(method string) (string, route) {
	parts := strings.Split(strings.Trim(q.path, "/"), "/")
	for _, r := range routes {
		if !matches(parts, r.path...) || method != verbOf(r.operation) {
			continue
		}
		id := ""
		if i := slices.Index(r.path, "*"); i >= 0 {
			id = parts[i]
		}
		return r.operation, r.answer(id)
	}
	return "", nil
}

func matches(parts []string, want ...string) bool {
	if len(parts) != len(want) {
		return false
	}
	for i := range want {
		if want[i] != parts[i] && (want[i] != "*" || parts[i] == "") {
			return false
		}
	}
	return true
}

// services are the words that an endpoint may put behind the region, and before it in a host's name.
var services = []string{"audit", "identity", "cloudguard", "cloudguard-cp-api", "logging", "streaming", "auth"}

// splitPath takes the region off the path or, where there is none, off the host.
func splitPath(r *http.Request) (region, path string) {
	path = r.URL.Path
	first, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if looksLikeRegion(first) {
		region, path = first, "/"+rest
	}
	first, rest, _ = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if slices.Contains(services, first) {
		path = "/" + rest
	}
	if region != "" {
		return region, path
	}
	labels := strings.Split(r.Host, ".")
	if len(labels) > 0 && strings.HasPrefix(labels[0], "cell-") {
		labels = labels[1:]
	}
	if len(labels) > 2 && slices.Contains(services, labels[0]) && looksLikeRegion(labels[1]) {
		region = labels[1]
	}
	return region, path
}

// looksLikeRegion reports whether s is spelled as a region: letters, a place, a number.
func looksLikeRegion(s string) bool {
	parts := strings.Split(s, "-")
	if len(parts) < 3 {
		return false
	}
	_, err := strconv.Atoi(parts[len(parts)-1])
	return err == nil && len(parts[0]) == 2 && strings.ToLower(s) == s
}

// requestID continues the client's id, as Oracle does, or begins one.
func (s *Sim) requestID(client string) string {
	s.mu.Lock()
	s.serial++
	n := s.serial
	s.mu.Unlock()
	id := strings.ToUpper(strings.ReplaceAll(sample.UUID("request", strconv.FormatUint(n, 10)), "-", ""))
	if client == "" {
		return id + "/" + id[:16]
	}
	return client + "/" + id
}

func encode(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return []byte(`{"code":"InternalServerError","message":"Internal error."}`)
	}
	return b
}

// text puts a page together.
func (a *answer) text() []byte {
	if !a.page {
		return a.body
	}
	size := 16
	for _, item := range a.items {
		size += len(item) + 1
	}
	b := make([]byte, 0, size)
	head, tail := a.head, a.tail
	if a.inside {
		head, tail = `{"items":`, `}`
	}
	b = append(b, head...)
	b = append(b, '[')
	for i, item := range a.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, item...)
	}
	b = append(b, ']')
	return append(b, tail...)
}
