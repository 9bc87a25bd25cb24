// Package ocisim answers as Oracle's APIs do: Audit, Logging Search, Streaming, Identity and Cloud Guard of invented tenancies,
// with every call's signature checked, and faults on demand.
//
// It stands before the data's way, in the place of Oracle: tests and `benthos-oci demo` collect from it,
// users point their own pipelines at it. What it will say is settled by a seed, and Truth tells all of it,
// so that what came out at the other end can be compared:
//
//	sim, err := ocisim.New(ocisim.Config{Events: 10_000})
//	server := httptest.NewServer(sim)
//	fmt.Println(sim.ConfigBlock(server.URL, 0)) // auth and endpoint for oci_audit and oci_cloudguard
//	for _, story := range sim.Truth().Stories { ... }
//
// It imports nothing of Oracle's SDK: it is an independent judge of what a client sends.
package ocisim

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says what is simulated. The zero value is one tenancy in two regions with a day of 10,000 events and every story.
type Config struct {
	// Seed settles everything that is invented: the same configuration gives the same records.
	Seed uint64
	// Tenancies is the number of tenancies; 0 means 1.
	Tenancies int
	// Regions are those that each tenancy is subscribed to, the home region first.
	// Empty means eu-frankfurt-1 and us-ashburn-1.
	Regions []string
	// Compartments is the number of compartments beside the root; 0 means 6, less than 0 means none.
	// The fourth is deleted in the middle of the span, its history still there; the sixth is made after a quarter of it.
	Compartments int
	// Users is the number of people in each tenancy; 0 means 2,000.
	Users int
	// Start and End bound when the events happen, to the millisecond, End excluded.
	// Without them it is the 24 hours before the full hour of Clock.
	Start, End time.Time
	// Events is the number of audit events of all tenancies, those of the stories included; 0 means 10,000.
	// The stories are always told whole, though there be fewer.
	Events int
	// Stories names those to weave in; empty means all that StoryNames gives. NoStories weaves none.
	Stories   []string
	NoStories bool
	// Problems is the number of Cloud Guard problems in each tenancy; 0 means 12, less than 0 means none.
	Problems int
	// CloudGuardOff leaves Cloud Guard disabled in all tenancies.
	CloudGuardOff bool
	// Partitions is the number of partitions of each stream; 0 means 3, less than 0 means that there are no streams.
	Partitions int
	// Retention is how long a stream keeps its messages, and groups that nobody uses; 0 means 7 days, as long as Oracle's do at most.
	Retention time.Duration
	// PageSize is the number of events in a page of ListEvents; 0 means 100.
	PageSize int
	// EmptyPages is the fraction of pages that are empty and carry a token or cursor; 0 means 0.1, less than 0 means none.
	EmptyPages float64
	// LateFraction is the fraction of events that are processed five and more minutes after they happened;
	// 0 means 0.02, less than 0 means none. One in fifty of them takes up to 20 minutes.
	LateFraction float64
	// IndexLag is how long after its processed time a late event may stay invisible; 0 means 9 minutes, less than 0 none.
	// Without it processed time would be seen in order, which Oracle does not promise.
	IndexLag time.Duration
	// TokenLife is how long a page token can be used; 0 means one hour.
	TokenLife time.Duration
	// Clock gives the time that the Date header says, by which dates of requests are judged
	// and before which nothing has been processed. nil means time.Now.
	Clock func() time.Time
	// Observe is told of each call that was answered, in no order; nil means nobody is.
	Observe func(Call)
}

// Call is one request that the simulator answered.
type Call struct {
	Operation   string // ListEvents, ...; "" where there is no such route
	Tenancy     string
	Region      string
	Compartment string
	Path        string
	Query       string
	Status      int // 0: no whole answer, the connection was reset or hung
	Time        time.Time
}

// Sim is a simulator. It is safe for concurrent use.
type Sim struct {
	config    Config
	tenancies []*tenancy
	keys      keyring
	faults    *Faults
	tokens    tokenMint
	security  *Tokens
	machine   *instance
	happened  updates

	mu      sync.Mutex
	denials []Denial         // guarded by mu
	counts  map[countKey]int // guarded by mu
	truth   func() *Truth    // built once, when first asked for
	serial  uint64           // guarded by mu: numbers request ids
}

// ErrConfig is what every error of New wraps.
var ErrConfig = errors.New("the simulator's configuration is not usable")

func (c Config) withDefaults() (Config, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Tenancies == 0 {
		c.Tenancies = 1
	}
	if len(c.Regions) == 0 {
		c.Regions = []string{"eu-frankfurt-1", "us-ashburn-1"}
	}
	setInt(&c.Compartments, 6)
	setInt(&c.Users, 2000)
	setInt(&c.Events, 10_000)
	setInt(&c.Problems, 12)
	setInt(&c.PageSize, 100)
	setInt(&c.Partitions, defaultPartitions)
	if c.Retention == 0 {
		c.Retention = maxRetention
	}
	if c.EmptyPages == 0 {
		c.EmptyPages = 0.1
	}
	if c.LateFraction == 0 {
		c.LateFraction = 0.02
	}
	if c.IndexLag == 0 {
		c.IndexLag = 9 * time.Minute
	}
	c.EmptyPages, c.LateFraction, c.IndexLag = max(c.EmptyPages, 0), max(c.LateFraction, 0), max(c.IndexLag, 0)
	if c.TokenLife == 0 {
		c.TokenLife = time.Hour
	}
	if c.End.IsZero() && c.Start.IsZero() {
		c.End = c.Clock().Truncate(time.Hour)
	}
	const day = 24 * time.Hour
	if c.Start.IsZero() {
		c.Start = c.End.Add(-day)
	}
	if c.End.IsZero() {
		c.End = c.Start.Add(day)
	}
	c.Start, c.End = c.Start.UTC().Truncate(time.Millisecond), c.End.UTC().Truncate(time.Millisecond)
	return c, c.check()
}

// setInt gives an unset number its default; a negative one means none.
func setInt(n *int, otherwise int) {
	if *n == 0 {
		*n = otherwise
	}
	*n = max(*n, 0)
}

func (c Config) check() error {
	switch {
	case c.Tenancies < 0 || c.Tenancies > 100:
		return fmt.Errorf("reading the simulator's configuration: %d tenancies, want 1 to 100: %w", c.Tenancies, ErrConfig)
	case !c.End.After(c.Start):
		return fmt.Errorf("reading the simulator's configuration: the end %s is not after the start %s: %w",
			c.End.Format(time.RFC3339), c.Start.Format(time.RFC3339), ErrConfig)
	case c.Users < 1:
		return fmt.Errorf("reading the simulator's configuration: a tenancy needs at least one user: %w", ErrConfig)
	case c.PageSize < 1:
		return fmt.Errorf("reading the simulator's configuration: a page holds at least one event: %w", ErrConfig)
	case c.Partitions > maxPartitions:
		return fmt.Errorf("reading the simulator's configuration: %d partitions, want at most %d: %w", c.Partitions, maxPartitions, ErrConfig)
	case c.Retention < minRetention || c.Retention > maxRetention:
		return fmt.Errorf("reading the simulator's configuration: a retention of %s, want %s to %s: %w", c.Retention, minRetention, maxRetention, ErrConfig)
	case c.EmptyPages > 1 || c.LateFraction > 1:
		return fmt.Errorf("reading the simulator's configuration: a fraction is at most 1: %w", ErrConfig)
	}
	for i, region := range c.Regions {
		if !looksLikeRegion(region) {
			return fmt.Errorf("reading the simulator's configuration: %q is no region, want a name as eu-frankfurt-1: %w", region, ErrConfig)
		}
		if slices.Contains(c.Regions[:i], region) {
			return fmt.Errorf("reading the simulator's configuration: the region %s is named twice: %w", region, ErrConfig)
		}
	}
	for _, name := range c.Stories {
		if !slices.Contains(StoryNames(), name) {
			return fmt.Errorf("reading the simulator's configuration: there is no story %q, want some of %s: %w",
				name, strings.Join(StoryNames(), ", "), ErrConfig)
		}
	}
	return nil
}

// New gives a simulator with everything that will happen already settled.
func New(config Config) (*Sim, error) {
	c, err := config.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &Sim{config: c, faults: newFaults(c.Seed), counts: map[countKey]int{}, tokens: newTokenMint(c.Seed)}
	s.keys.seed = c.Seed
	s.security, s.machine = &Tokens{sim: s, life: defaultTokenLife}, &instance{sim: s}
	for i := range c.Tenancies {
		t := newTenancy(c, i)
		s.tenancies = append(s.tenancies, t)
		s.keys.add(t.login)
	}
	s.truth = sync.OnceValue(s.tell)
	return s, nil
}

// Tenancies gives the tenancies with the credentials that the simulator accepts.
func (s *Sim) Tenancies() []Tenancy {
	all := make([]Tenancy, len(s.tenancies))
	for i, t := range s.tenancies {
		all[i] = t.public(s.keys.current(t.login.user))
	}
	return all
}

// Faults gives what can go wrong, to add to and take from while the simulator runs.
func (s *Sim) Faults() *Faults { return s.faults }

// ConfigBlock gives the auth and endpoint fields, in YAML, by which an oci_* input reads the tenancy of that number
// from a simulator that is served at endpoint, as http://127.0.0.1:8080. An unknown number gives "".
func (s *Sim) ConfigBlock(endpoint string, number int) string {
	if number < 0 || number >= len(s.tenancies) {
		return ""
	}
	t := s.Tenancies()[number]
	endpoint = strings.TrimSuffix(endpoint, "/")
	if !strings.Contains(endpoint, "{region}") {
		endpoint += "/{region}"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "auth:\n  tenancy: %s\n  user: %s\n  fingerprint: %s\n  region: %s\n  private_key: |\n", t.OCID, t.User, t.Fingerprint, t.Home)
	for line := range strings.SplitSeq(strings.TrimSpace(t.PrivateKeyPEM), "\n") {
		b.WriteString("    " + line + "\n")
	}
	fmt.Fprintf(&b, "endpoint: %s\n", endpoint)
	return b.String()
}

// RotateKey gives the user of the tenancy a new key; what the old one signs is refused from now on.
func (s *Sim) RotateKey(number int) (Tenancy, error) {
	if number < 0 || number >= len(s.tenancies) {
		return Tenancy{}, fmt.Errorf("rotating the key of tenancy %d: there are %d tenancies", number, len(s.tenancies))
	}
	t := s.tenancies[number]
	return t.public(s.keys.rotate(t.login.user)), nil
}

// Permissions that a call can lack, named as Oracle's policies name the resource types.
const (
	ReadAuditEvents        = "audit-events"
	InspectCompartments    = "compartments"
	InspectTenancies       = "tenancies"
	ReadCloudGuardConfig   = "cloud-guard-config"
	ReadCloudGuardProblems = "cloud-guard-problems"
)

// Denial takes a permission away. Empty fields mean all.
type Denial struct {
	Tenancy     string // OCID
	Permission  string
	Compartment string // OCID
	Region      string
}

// Deny takes a permission away until Allow gives it back: such calls are answered 404 NotAuthorizedOrNotFound.
func (s *Sim) Deny(d Denial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denials = append(s.denials, d)
}

// Allow takes back what Deny did with the same value.
func (s *Sim) Allow(d Denial) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denials = slices.DeleteFunc(s.denials, func(have Denial) bool { return have == d })
}

func (s *Sim) denied(tenancy, permission, compartment, region string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.denials {
		if anyOr(d.Tenancy, tenancy) && anyOr(d.Permission, permission) && anyOr(d.Compartment, compartment) && anyOr(d.Region, region) {
			return true
		}
	}
	return false
}

// anyOr reports whether want is empty or is have.
func anyOr(want, have string) bool { return want == "" || want == have }

type countKey struct {
	operation string
	status    int
}

// Count gives how many calls of the operation were answered with the status.
// "" and 0 count all of them; -1 counts those that got no whole answer: connections that were reset, or hung.
func (s *Sim) Count(operation string, status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key, calls := range s.counts {
		if anyOr(operation, key.operation) && (status == 0 || status == key.status) {
			n += calls
		}
	}
	return n
}

func (s *Sim) counted(call Call) {
	status := call.Status
	if status == 0 {
		status = -1
	}
	s.mu.Lock()
	s.counts[countKey{call.Operation, status}]++
	s.mu.Unlock()
	if s.config.Observe != nil {
		s.config.Observe(call)
	}
}

var _ http.Handler = (*Sim)(nil)
