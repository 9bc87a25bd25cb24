package ocisim

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// Story is an attack, or what only looks like one, woven into the noise.
type Story struct {
	Name    string
	Title   string
	Tenancy string // OCID
	// Raises are the incidents that the shipped rules must raise for it, and no others.
	Raises []Raise
	// Silent names the rules that a story comes near to and that must not raise an incident for it.
	Silent []string
	// Start and End are the times of its first and last event.
	Start, End time.Time
	// Events are the ids of its events, in the order of their times.
	Events []string
}

// Raise is an incident that must come out.
type Raise struct {
	Rule string
	// Key holds the values by the names that the rule groups by.
	Key map[string]string
	// Events counts the distinct events of the incident; First and Last are the times of the first and last of them.
	Events      int
	First, Last time.Time
}

// wovenEvent is an event of a story.
type wovenEvent struct {
	op          string
	options     sample.Options
	processed   time.Time
	region      string
	compartment int
}

// plot tells a story to a weaver.
type plot struct {
	name  string
	title string
	// lasts is the time from the first event to the last moment that matters to a rule.
	lasts time.Duration
	// retention marks the stories about the tenancy's one audit retention, which must not meet.
	retention bool
	tell      func(*weaver)
}

// StoryNames gives the names of the stories that can be woven in, in the order in which they happen.
func StoryNames() []string {
	names := make([]string, len(plots))
	for i, p := range plots {
		names[i] = p.name
	}
	return names
}

// weaver puts the events of one story into a tenancy.
type weaver struct {
	t      *tenancy
	plot   plot
	number int // of the plot
	start  time.Time
	ip     string
	g      gen
	story  Story
	times  []time.Time
}

// weave tells the stories one after the other, spread over the span. One that does not fit into the span is left out.
func (t *tenancy) weave() {
	chosen := t.chosen()
	span := t.config.End.Sub(t.config.Start)
	var retention time.Time
	for i, p := range chosen {
		g := newGen(t.config.Seed, uint64(t.number), uint64(i), 31)
		if p.lasts >= span {
			continue
		}
		part := (float64(i) + 0.25 + g.float()/2) / float64(len(chosen))
		start := t.config.Start.Add(time.Duration(part * float64(span-p.lasts))).Truncate(time.Second)
		start, fits := t.withinOneDay(start, p.lasts)
		if !fits {
			continue
		}
		if p.retention {
			const apart = 3 * time.Hour
			if !retention.IsZero() && start.Sub(retention).Abs() < apart {
				continue
			}
			retention = start
		}
		number := plotNumber(p.name)
		w := &weaver{t: t, plot: p, number: number, start: start, g: g, ip: t.attacker(number)}
		w.story = Story{Name: p.name, Title: p.title, Tenancy: t.id}
		p.tell(w)
		w.story.Start, w.story.End = w.times[0], w.times[len(w.times)-1]
		t.stories = append(t.stories, w.story)
	}
}

func (t *tenancy) chosen() []plot {
	if len(t.config.Stories) == 0 {
		return plots
	}
	var some []plot
	for _, p := range plots {
		if slices.Contains(t.config.Stories, p.name) {
			some = append(some, p)
		}
	}
	return some
}

func plotNumber(name string) int {
	for i, p := range plots {
		if p.name == name {
			return i
		}
	}
	return 0
}

// withinOneDay moves a story off midnight UTC: incidents are counted by slots of a day,
// and a deed on both sides of midnight would be two.
func (t *tenancy) withinOneDay(start time.Time, lasts time.Duration) (time.Time, bool) {
	const day, margin = 24 * time.Hour, time.Minute
	midnight := start.Truncate(day).Add(day)
	if start.Add(lasts + margin).Before(midnight) {
		return start, true
	}
	if after := midnight.Add(margin); !after.Add(lasts + margin).After(t.config.End) {
		return after, true
	}
	before := midnight.Add(-lasts - 2*margin)
	return before, !before.Before(t.config.Start) && before.Truncate(day).Equal(start.Truncate(day))
}

// attacker is an address of its own for each story: one of the documentation's, never one of the noise.
func (t *tenancy) attacker(story int) string {
	networks := []string{"203.0.113", "198.51.100", "192.0.2"}
	if t.number < len(networks) {
		return networks[t.number] + "." + strconv.Itoa(20+story)
	}
	return fmt.Sprintf("2001:db8:ffff:%x::%x", t.number, 20+story)
}

// families are the last names of the people in the stories, one for each story: nobody occurs in two of them,
// and nobody of the noise, whose names carry numbers, in any.
var families = []string{
	"archer", "berger", "castro", "dahl", "eriksen", "falk", "garnier", "hofer", "ibarra", "jansen", "keller", "lopez", "marchetti",
	"nagy", "orlov", "pereira", "quist", "rossi", "santos", "tanaka", "ulrich", "vargas", "weiss", "xu", "young", "zeller",
}

// person gives somebody who occurs in this story only.
func (w *weaver) person(name string) sample.Principal {
	return w.user(name + "." + families[w.number%len(families)])
}

// service gives a user that belongs to a program.
func (w *weaver) service(name string) sample.Principal {
	return w.user("svc-" + name + "-" + strconv.Itoa(w.number))
}

func (w *weaver) user(name string) sample.Principal {
	full := name + "@" + w.t.name + ".example"
	return sample.Principal{Name: full, ID: sample.OCID("user", "", w.t.id, full)}
}

func (w *weaver) group(name string) sample.Principal {
	return sample.Principal{Name: name, ID: sample.OCID("group", "", w.t.id, name, w.plot.name)}
}

// at lets an operation happen some time after the story's start, in the root compartment of the home region
// where the options name no other place.
func (w *weaver) at(after time.Duration, op string, o sample.Options) time.Time {
	number := len(w.t.woven)
	o.Time = w.start.Add(after + time.Duration(w.g.below(1000))*time.Millisecond)
	o.Tenancy = sample.Principal{Name: w.t.name, ID: w.t.id}
	if o.Region == "" {
		o.Region = w.t.regions[0]
	}
	if o.IP == "" {
		o.IP = w.ip
	}
	where := w.t.compartment(o.Compartment.ID)
	if where == nil {
		where = w.t.compartments[0]
	}
	o.Compartment = sample.Principal{Name: where.name, ID: where.id}
	g := newGen(w.t.config.Seed, uint64(w.t.number), uint64(number), 41)
	o.ID = uuidOf(&g)
	processed := o.Time.Add(w.t.delay(&g)).Truncate(time.Millisecond)
	w.t.woven = append(w.t.woven, wovenEvent{op, o, processed, o.Region, where.number})
	w.story.Events = append(w.story.Events, o.ID)
	w.times = append(w.times, o.Time)
	return o.Time
}

// raises says that a rule must raise an incident of the events at these times, in order.
func (w *weaver) raises(rule string, key map[string]string, times ...time.Time) {
	w.story.Raises = append(w.story.Raises, Raise{rule, key, len(times), times[0], times[len(times)-1]})
}

// near says which rules must not raise one.
func (w *weaver) near(rules ...string) { w.story.Silent = append(w.story.Silent, rules...) }

func uuidOf(g *gen) string {
	return sample.UUID(strconv.FormatUint(g.next(), 16), strconv.FormatUint(g.next(), 16))
}
