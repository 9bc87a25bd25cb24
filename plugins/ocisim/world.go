package ocisim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// Tenancy is what a client must know of a simulated tenancy.
type Tenancy struct {
	Name          string
	OCID          string
	User          string // OCID of the user whose key signs the calls
	Fingerprint   string
	PrivateKeyPEM string
	Home          string
	Regions       []string // the home region first
	Compartments  []Compartment
}

// Compartment is one of a tenancy's compartments. The first is the root, whose OCID is the tenancy's.
type Compartment struct {
	OCID    string
	Name    string
	Parent  string // OCID; "" for the root
	Created time.Time
	Deleted bool // by now
}

// tenancy is a simulated tenancy and all that happens in it. But for its streams, it does not change once it is made.
type tenancy struct {
	config       Config
	number       int
	name         string
	id           string
	login        login
	regions      []string
	compartments []*compartment
	byID         map[string]*compartment
	records      map[place][]record // sorted by processed time
	woven        []wovenEvent
	stories      []Story
	problems     []problem
	streams      streams
}

type compartment struct {
	number  int
	id      string
	name    string
	parent  string
	created time.Time
	deleted time.Time // zero: never
}

// open reports whether anything can happen in the compartment.
func (c *compartment) open(at time.Time) bool { return !c.created.After(at) && !c.deletedBy(at) }

func (c *compartment) deletedBy(now time.Time) bool {
	return !c.deleted.IsZero() && !c.deleted.After(now)
}

// place is where an event is recorded: a region, and a compartment by its number.
type place struct {
	region      string
	compartment int
}

var (
	tenancyNames     = []string{"acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "tyrell"}
	compartmentNames = []string{
		"production", "network", "development", "staging", "security", "shared-services", "analytics", "sandbox",
		"databases", "backup", "billing", "mobile", "partners", "research", "legacy", "edge",
	}
)

func newTenancy(c Config, number int) *tenancy {
	t := &tenancy{config: c, number: number, regions: c.Regions, byID: map[string]*compartment{}, records: map[place][]record{}}
	t.name = tenancyNames[number%len(tenancyNames)]
	if round := number / len(tenancyNames); round > 0 {
		t.name += strconv.Itoa(round + 1)
	}
	seed := strconv.FormatUint(c.Seed, 10)
	t.id = sample.OCID("tenancy", "", seed, t.name)
	user := sample.OCID("user", "", seed, t.name, "siem")
	t.login = login{tenancy: t.id, user: user}
	t.grow()
	t.happen()
	t.problems = newProblems(t)
	return t
}

// grow makes the tree of compartments: three below the root, the others below those before them.
func (t *tenancy) grow() {
	founded := t.config.Start.AddDate(-1, 0, 0)
	t.add(&compartment{id: t.id, name: t.name + " (root)", created: founded})
	for i := 1; i <= t.config.Compartments; i++ {
		name := compartmentNames[(i-1)%len(compartmentNames)]
		if round := (i - 1) / len(compartmentNames); round > 0 {
			name += "-" + strconv.Itoa(round+1)
		}
		c := &compartment{id: sample.OCID("compartment", "", t.id, name), name: name, parent: t.id, created: founded.Add(time.Duration(i) * time.Hour)}
		const branches, deletedOne, newOne = 3, 4, 6
		if i > branches {
			c.parent = t.compartments[i-branches].id
		}
		if i == deletedOne {
			// Its last events are in the span; its history outlives it.
			c.deleted = t.config.Start.Add(t.config.End.Sub(t.config.Start) / 2)
		}
		if i == newOne {
			// It appears while a collector runs.
			c.created = t.config.Start.Add(t.config.End.Sub(t.config.Start) / 4)
		}
		t.add(c)
	}
}

func (t *tenancy) add(c *compartment) {
	c.number = len(t.compartments)
	t.compartments = append(t.compartments, c)
	t.byID[c.id] = c
}

func (t *tenancy) compartment(id string) *compartment { return t.byID[id] }

func (t *tenancy) public(l login) Tenancy {
	p := Tenancy{
		Name: t.name, OCID: t.id, User: l.user, Fingerprint: l.fingerprint(), PrivateKeyPEM: l.pem(),
		Home: t.regions[0], Regions: slices.Clone(t.regions),
	}
	now := t.config.Clock()
	for _, c := range t.compartments {
		p.Compartments = append(p.Compartments, Compartment{c.id, c.name, c.parent, c.created, c.deletedBy(now)})
	}
	return p
}

// principal is one of the tenancy's people, spelled as one of the sign-on services spells them.
func (t *tenancy) principal(n int) sample.Principal {
	name := fmt.Sprintf("%s.%s%d@%s.example", firstNames[n%len(firstNames)], lastNames[n/len(firstNames)%len(lastNames)], n, t.name)
	id := sample.OCID("user", "", t.id, name)
	switch n % 3 {
	case 0:
		return sample.Principal{Name: "default/" + name, ID: id}
	case 1:
		return sample.Principal{Name: "oracleidentitycloudservice/" + name, ID: id}
	}
	return sample.Principal{Name: name, ID: id}
}

var (
	firstNames = []string{"ada", "boris", "chloe", "dmitri", "elena", "farid", "grace", "hugo", "ines", "jonas", "kira", "liam", "mona", "nils", "olga", "pablo"}
	lastNames  = []string{"abel", "brandt", "costa", "dumont", "engel", "fischer", "gruber", "haas", "ito", "jensen", "kaya", "lund", "meyer", "novak", "okafor", "petrov"}
)

// address is the one address from which a person works; no two share one, so that chance makes no pattern.
// The range is the one that is set apart for benchmarks; some come by the documentation's IPv6.
func (t *tenancy) address(n int) string {
	if n%17 == 3 {
		return fmt.Sprintf("2001:db8:%x::%x", t.number, n)
	}
	const hosts = 254
	return fmt.Sprintf("198.%d.%d.%d", 18+t.number%2, (t.number/2*31+n/hosts)%256, 1+n%hosts)
}
