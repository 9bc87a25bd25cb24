package ocisim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Effect is what goes wrong with an answer.
type Effect string

// The effects. EffectStatus gives an error instead of the answer; the others spoil the answer that would have been given.
const (
	EffectStatus    Effect = "status"    // an error with Fault.Status and, where set, Retry-After
	EffectReset     Effect = "reset"     // the connection is reset in the middle of the body
	EffectSlow      Effect = "slow"      // the body comes in pieces, Fault.Delay between them
	EffectLate      Effect = "late"      // the whole answer comes Fault.Delay later
	EffectHang      Effect = "hang"      // nothing comes until the client gives up
	EffectMalformed Effect = "malformed" // one item more, whose members have the wrong types
	EffectUTF8      Effect = "utf8"      // one item more, with bytes that are no UTF-8
	EffectControl   Effect = "control"   // one item more, with a bare control character in a string
	EffectDuplicate Effect = "duplicate" // one item more, with a member twice
	EffectHTML      Effect = "html"      // a page of HTML with status 200, as of a proxy
	EffectTruncated Effect = "truncated" // the JSON ends in its middle, the connection does not
	EffectLoop      Effect = "loop"      // opc-next-page names this very page, for ever
)

var effects = []Effect{
	EffectStatus, EffectReset, EffectSlow, EffectLate, EffectHang, EffectMalformed, EffectUTF8, EffectControl, EffectDuplicate, EffectHTML, EffectTruncated, EffectLoop,
}

// EffectNames are the effects as ParseFault takes them, beside a status.
func EffectNames() []string {
	var names []string
	for _, e := range effects {
		if e != EffectStatus {
			names = append(names, string(e))
		}
	}
	return names
}

// Fault says which calls go wrong, and how. Empty fields match all calls.
type Fault struct {
	Effect      Effect
	Status      int    // with EffectStatus
	Operation   string // ListEvents, ListCompartments, ...
	Tenancy     string // OCID
	Region      string
	Compartment string // OCID
	// After is the number of matching calls that go well before the first that does not.
	After int
	// Times is the number of calls that go wrong; 0 means all until the fault is taken away.
	Times int
	// Probability is the part of the matching calls that go wrong, drawn by the seed; 0 means all.
	Probability float64
	// RetryAfter is sent with an error. RetryAsDate writes it as a date instead of seconds.
	RetryAfter  time.Duration
	RetryAsDate bool
	// Delay is what EffectSlow waits between two pieces of the body, and EffectLate before the answer.
	Delay time.Duration
}

// ErrFault is what every error of ParseFault wraps.
var ErrFault = errors.New("a fault is an effect and settings, as 429,op=ListEvents,times=3,retry_after=7s")

// ParseFault reads a fault as a command line writes it: an effect (a status of 400 and more, or one of reset, slow,
// late, hang, malformed, utf8, control, duplicate, html, truncated, loop), then settings joined by commas:
// op, tenancy, region, compartment, after, times, p (a probability), retry_after (7s, or date:7s), delay.
func ParseFault(text string) (Fault, error) {
	words := strings.Split(text, ",")
	f, err := parseEffect(strings.TrimSpace(words[0]))
	if err != nil {
		return Fault{}, fmt.Errorf("reading the fault %q: %w", text, err)
	}
	for _, word := range words[1:] {
		name, value, ok := strings.Cut(strings.TrimSpace(word), "=")
		if !ok || value == "" {
			return Fault{}, fmt.Errorf("reading the fault %q: %q is no name=value: %w", text, word, ErrFault)
		}
		if err := f.setting(name, value); err != nil {
			return Fault{}, fmt.Errorf("reading the fault %q: %w", text, err)
		}
	}
	if (f.Effect == EffectSlow || f.Effect == EffectLate) && f.Delay == 0 {
		f.Delay = 100 * time.Millisecond
	}
	return f, nil
}

func parseEffect(word string) (Fault, error) {
	if status, err := strconv.Atoi(word); err == nil {
		if status < 400 || status > 599 {
			return Fault{}, fmt.Errorf("the status %d is no error, want 400 to 599: %w", status, ErrFault)
		}
		return Fault{Effect: EffectStatus, Status: status}, nil
	}
	if e := Effect(word); e != EffectStatus && slices.Contains(effects, e) {
		return Fault{Effect: e}, nil
	}
	return Fault{}, fmt.Errorf("%q is no effect: %w", word, ErrFault)
}

func (f *Fault) setting(name, value string) (err error) {
	switch name {
	case "op":
		f.Operation = value
		if !slices.Contains(Operations(), value) {
			return fmt.Errorf("there is no operation %q, want one of %s: %w", value, strings.Join(Operations(), ", "), ErrFault)
		}
	case "tenancy":
		f.Tenancy = value
	case "region":
		f.Region = value
		if !looksLikeRegion(value) {
			return fmt.Errorf("%q is no region: %w", value, ErrFault)
		}
	case "compartment":
		f.Compartment = value
	case "after":
		f.After, err = count(value)
	case "times":
		f.Times, err = count(value)
	case "p":
		f.Probability, err = strconv.ParseFloat(value, 64)
		if inside := f.Probability > 0 && f.Probability <= 1; err == nil && !inside {
			err = errors.New("want more than 0 and at most 1")
		}
	case "retry_after":
		text, date := strings.CutPrefix(value, "date:")
		f.RetryAsDate = date
		f.RetryAfter, err = span(text)
	case "delay":
		f.Delay, err = span(value)
	default:
		return fmt.Errorf("there is no setting %q: %w", name, ErrFault)
	}
	if err != nil {
		return fmt.Errorf("%s is %q (%w): %w", name, value, err, ErrFault)
	}
	return nil
}

func count(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err == nil && n < 0 {
		err = errors.New("want 0 or more")
	}
	return n, err
}

func span(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err == nil && d < 0 {
		err = errors.New("want 0s or more")
	}
	return d, err
}

// String gives the fault as ParseFault reads it.
func (f Fault) String() string {
	words := []string{string(f.Effect)}
	if f.Effect == EffectStatus {
		words[0] = strconv.Itoa(f.Status)
	}
	add := func(name, value string, set bool) {
		if set {
			words = append(words, name+"="+value)
		}
	}
	add("op", f.Operation, f.Operation != "")
	add("tenancy", f.Tenancy, f.Tenancy != "")
	add("region", f.Region, f.Region != "")
	add("compartment", f.Compartment, f.Compartment != "")
	add("after", strconv.Itoa(f.After), f.After > 0)
	add("times", strconv.Itoa(f.Times), f.Times > 0)
	add("p", strconv.FormatFloat(f.Probability, 'g', -1, 64), f.Probability > 0)
	date := ""
	if f.RetryAsDate {
		date = "date:"
	}
	add("retry_after", date+f.RetryAfter.String(), f.RetryAfter > 0)
	add("delay", f.Delay.String(), f.Delay > 0)
	return strings.Join(words, ",")
}

// Faults are the faults of a simulator. They can be changed while it runs.
type Faults struct {
	mu     sync.Mutex
	seed   uint64
	active []*activeFault // guarded by mu
	drawn  uint64         // guarded by mu
}

type activeFault struct {
	Fault
	seen int // matching calls
	hits int // calls that went wrong
}

func newFaults(seed uint64) *Faults { return &Faults{seed: seed} }

// Add puts a fault behind the others; of several that match a call the first has it.
// The function that comes back takes it away again and gives how many calls it hit.
func (fs *Faults) Add(f Fault) (remove func() int) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	a := &activeFault{Fault: f}
	fs.active = append(fs.active, a)
	return func() int {
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.active = slices.DeleteFunc(fs.active, func(have *activeFault) bool { return have == a })
		return a.hits
	}
}

// Clear takes all faults away.
func (fs *Faults) Clear() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.active = nil
}

// match gives the fault that a call meets, or nil.
func (fs *Faults) match(call Call, region string) *Fault {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, a := range fs.active {
		if !anyOr(a.Operation, call.Operation) || !anyOr(a.Tenancy, call.Tenancy) || !anyOr(a.Region, region) || !anyOr(a.Compartment, call.Compartment) {
			continue
		}
		if a.Times > 0 && a.hits >= a.Times {
			continue
		}
		a.seen++
		if a.seen <= a.After {
			continue
		}
		if a.Probability > 0 {
			fs.drawn++
			if g := newGen(fs.seed, fs.drawn); g.float() >= a.Probability {
				continue
			}
		}
		a.hits++
		found := a.Fault
		return &found
	}
	return nil
}

// apiError is the error that a fault answers with.
func (f *Fault) apiError(q *request) *apiError {
	if f.RetryAfter > 0 {
		after := strconv.Itoa(int(f.RetryAfter.Round(time.Second) / time.Second))
		if f.RetryAsDate {
			after = q.now.Add(f.RetryAfter).Format(http.TimeFormat)
		}
		q.header.Set("Retry-After", after)
	}
	known := map[int]apiError{
		http.StatusUnauthorized:        *notAuthenticated("The required information to complete authentication was not provided or was incorrect."),
		http.StatusForbidden:           {0, "NotAllowed", "The operation is not allowed."},
		http.StatusNotFound:            *notFound(),
		http.StatusConflict:            {0, "IncorrectState", "The resource is in a state that does not allow the operation."},
		http.StatusTooManyRequests:     {0, "TooManyRequests", "Too many requests for the user."},
		http.StatusInternalServerError: {0, "InternalServerError", "Internal error."},
		http.StatusBadGateway:          {0, "BadGateway", "Bad gateway."},
		http.StatusServiceUnavailable:  {0, "ServiceUnavailable", "The service is currently unavailable."},
		http.StatusGatewayTimeout:      {0, "GatewayTimeout", "The gateway did not receive an answer in time."},
	}
	e, ok := known[f.Status]
	if !ok {
		e = apiError{0, "Fault", "A fault of the simulator."}
	}
	e.status = f.Status
	return &e
}
