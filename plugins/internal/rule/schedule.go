package rule

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // time zones where the system has none, as in small containers

	"gopkg.in/yaml.v3"

	"benthos-oci/plugins/internal/event"
)

// Schedule is some hours of some days of the week.
type Schedule struct {
	// Days has a bit for each day, Monday's the lowest.
	Days uint8
	// From and To are minutes of the day, To not included. Where To is not behind From, the hours end on the day after.
	From, To int
	Zone     *time.Location
}

// Holds says whether t lies in the schedule. Hours across midnight belong to the day on which they begin.
func (s Schedule) Holds(t event.Time) bool {
	local := t.Time().In(s.Zone)
	minute := local.Hour()*60 + local.Minute()
	day := (int(local.Weekday()) + 6) % 7
	on := func(day int) bool { return s.Days&(1<<day) != 0 }
	if s.From < s.To {
		return on(day) && minute >= s.From && minute < s.To
	}
	return on(day) && minute >= s.From || on((day+6)%7) && minute < s.To
}

const (
	minutesOfDay = 24 * 60
	allDays      = 1<<7 - 1
)

// days are the names of days; weekdays the lower five.
var days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

var (
	hoursPattern = regexp.MustCompile(`^(\d\d):(\d\d)-(\d\d):(\d\d)$`)
	zonePattern  = regexp.MustCompile(`^[+-]\d\d:\d\d$`)
)

var scheduleKeys = []key{
	{"days", "Days of the week: mon, tue, wed, thu, fri, sat, sun, or from-to as in mon-fri (default: all).", map[string]any{
		"oneOf": []any{ofType("string"), listOf(ofType("string"))},
	}},
	{"hours", "Hours of these days, the end not included: 22:00-06:00 (default: all). Across midnight they belong to the day on which they begin.", ofType("string")},
	{"zone", "The time zone: Europe/Berlin, or +02:00 (default: UTC).", ofType("string")},
}

// schedules reads one schedule or a list of them.
func (d *document) schedules(n *yaml.Node) []Schedule {
	var list []Schedule
	for _, item := range d.items(n) {
		at := d.keys(d.mapping(item, "a schedule"), scheduleKeys, "a schedule")
		if item.Kind == yaml.MappingNode && at["days"].value == nil && at["hours"].value == nil {
			d.errorf(item, "the schedule has neither `days` nor `hours`: write `schedule: {days: [sat, sun]}`")
		}
		s := Schedule{Days: allDays, To: minutesOfDay, Zone: time.UTC}
		if v, ok := at["days"]; ok {
			s.Days = d.days(v.value)
		}
		if v, ok := at["hours"]; ok {
			s.From, s.To = d.hours(v.value)
		}
		if v, ok := at["zone"]; ok {
			s.Zone = d.zone(v.value)
		}
		list = append(list, s)
	}
	return list
}

func (d *document) days(n *yaml.Node) uint8 {
	var some uint8
	for _, item := range d.items(n) {
		text, ok := d.text(item, "a day")
		if !ok {
			continue
		}
		first, last, isSpan := strings.Cut(strings.ToLower(text), "-")
		if !isSpan {
			last = first
		}
		from, to := slices.Index(days, first), slices.Index(days, last)
		if from < 0 || to < 0 {
			d.errorf(item, "a day is one of %s, or from-to as in mon-fri, not %q", strings.Join(days, ", "), text)
			continue
		}
		for day := from; ; day = (day + 1) % len(days) {
			some |= 1 << day
			if day == to {
				break
			}
		}
	}
	return some
}

func (d *document) hours(n *yaml.Node) (from, to int) {
	text, ok := d.text(n, "hours")
	if !ok {
		return 0, minutesOfDay
	}
	found := hoursPattern.FindStringSubmatch(text)
	if found == nil {
		d.errorf(n, "hours are written as in 22:00-06:00, not %q", shorten(text))
		return 0, minutesOfDay
	}
	part := make([]int, 4)
	for i := range part {
		part[i], _ = strconv.Atoi(found[i+1]) // two digits
	}
	from, to = part[0]*60+part[1], part[2]*60+part[3]
	switch {
	case part[1] > 59 || part[3] > 59 || from >= minutesOfDay || to > minutesOfDay:
		d.errorf(n, "hours lie between 00:00 and 24:00, and %s does not", text)
	case from == to:
		d.errorf(n, "%s is no time at all: leave `hours` out for the whole day", text)
	}
	return from, to
}

func (d *document) zone(n *yaml.Node) *time.Location {
	text, ok := d.text(n, "zone")
	if !ok {
		return time.UTC
	}
	if zonePattern.MatchString(text) {
		if t, err := time.Parse("-07:00", text); err == nil {
			_, offset := t.Zone()
			return time.FixedZone(text, offset)
		}
	}
	zone, err := time.LoadLocation(text)
	if err != nil || text == "Local" {
		d.errorf(n, "zone is a time zone such as Europe/Berlin, or an offset such as +02:00, not %q", shorten(text))
		return time.UTC
	}
	return zone
}
