// Package ocifields holds what the inputs for Oracle's APIs share on the side of Benthos: the fields of their configuration,
// the store of their position in a cache, the outlet through which batches leave and acks come back, metrics and health.
//
// It stands between package oci, which calls, and the pipeline:
//
//	spec := service.NewConfigSpec().Fields(ocifields.Auth()...)
//	common, err := ocifields.Parse(conf)
package ocifields

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/lintrule"
	"benthos-oci/plugins/internal/oci"
)

// Names of fields that all inputs have.
const (
	fieldStart      = "start"
	fieldEnd        = "end"
	fieldPoll       = "poll_interval"
	fieldOverlap    = "overlap"
	fieldCache      = "checkpoint_cache"
	fieldKey        = "checkpoint_key"
	fieldLimit      = "checkpoint_limit"
	fieldRate       = "max_requests_per_second"
	fieldPageBytes  = "max_page_bytes"
	fieldEventBytes = "max_event_bytes"
	fieldTimeout    = "request_timeout"
)

// Cadence says how the fields about time differ between inputs.
type Cadence struct {
	Poll, Overlap string
	// LeastOverlap and MostOverlap bound the overlap; 0: more than nothing, and without a bound.
	LeastOverlap, MostOverlap time.Duration
	// OverlapMeaning says what the overlap is for.
	OverlapMeaning string
}

// Reading gives the fields that say what is read, and how its position is kept.
func Reading(c Cadence) []*service.ConfigField {
	return append([]*service.ConfigField{
		service.NewStringField(fieldStart).Description("Where the first run begins: a span before now (`-24h`, `-30d`), a day (`2026-11-01`) or a time (`2026-11-01T00:00:00Z`). "+
			"It is made absolute once and saved; later runs continue where the last one stood, whatever is set here.").
			Default("-24h").LintRule(lintTime).Examples("-24h", "-30d", "2026-11-01T00:00:00Z"),
		service.NewStringField(fieldEnd).Description("Where reading ends, in the same forms; the input then ends as soon as everything before it was delivered. "+
			"Empty: it never ends.").Default("").LintRule(lintTime).Examples("-1h", "2026-11-02T00:00:00Z"),
		service.NewDurationField(fieldPoll).Description("How long to wait after a sweep that has caught up.").Default(c.Poll).LintRule(lintrule.Span(fieldPoll, lintrule.Positive, 0)),
		service.NewDurationField(fieldOverlap).Description(c.OverlapMeaning).Default(c.Overlap).
			LintRule(lintrule.Span(fieldOverlap, max(c.LeastOverlap, lintrule.Positive), c.MostOverlap)).Advanced(),
	}, Keeping(Keep{
		Cache:     "Label of the cache resource that keeps the position. Without one, a restart begins at `start` again.",
		Rate:      "Most requests a second, over all inputs of this process that read the same tenancy. The first input to start sets it.",
		PerSecond: oci.DefaultRequestsPerSecond,
	})...)
}

// Keep says how the fields of Keeping differ between inputs.
type Keep struct {
	// Cache says what the cache is for, Rate whose requests are counted.
	Cache, Rate string
	// PerSecond is the default of the rate.
	PerSecond float64
}

// Keeping gives the fields that say where the position is kept, and the bounds of what is read; Reading has them, too.
func Keeping(k Keep) []*service.ConfigField {
	return []*service.ConfigField{
		service.NewStringField(fieldCache).Description(k.Cache).Default("").Example("state"),
		service.NewStringField(fieldKey).Description("Prefix of the position's keys in the cache. Empty: the component and the tenancy. " +
			"Set it where several inputs read the same tenancy with one cache.").Default("").Advanced(),
		service.NewIntField(fieldLimit).Description("Most batches that may be on their way, read and not yet acked; at the limit the input pauses.").
			Default(64).LintRule(`root = if this < 1 { "must be at least 1" }`).Advanced(),
		service.NewFloatField(fieldRate).Description(k.Rate).Default(k.PerSecond).LintRule(`root = if this <= 0 { "must be more than 0" }`).Advanced(),
		service.NewIntField(fieldPageBytes).Description("Largest body that is read, in bytes after decompression.").
			Default(oci.DefaultMaxBody).LintRule(`root = if this < 1024 { "must be at least 1024" }`).Advanced(),
		service.NewIntField(fieldEventBytes).Description("Records larger than this leave flagged with an error, so that a dead letter output can take them.").
			Default(4 << 20).LintRule(`root = if this < 1024 { "must be at least 1024" }`).Advanced(),
		service.NewDurationField(fieldTimeout).Description("How long one request may take, its body included. Oracle was seen to take 11 s for one page.").
			Default("90s").LintRule(lintrule.Span(fieldTimeout, lintrule.Positive, 0)).Advanced(),
	}
}

const lintTime = `root = if this != "" && !this.re_match("^-?[0-9]+(\\.[0-9]+)?(ms|s|m|h|d|w)([0-9.]+(ms|s|m|h))*$") && !this.re_match("^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9:]{5}))?$") { ` +
	`"must be a span before now like -24h or -30d, a day like 2026-11-01, or a time like 2026-11-01T00:00:00Z" }`

// Config is what the fields of Auth and Reading hold.
type Config struct {
	Auth     oci.Auth
	Endpoint string
	TLS      oci.TLS

	Start, End    Moment
	Poll, Overlap time.Duration
	Cache, Key    string
	Limit         int
	Rate          float64
	PageBytes     int64
	EventBytes    int
	Timeout       time.Duration
}

// Parse reads the fields of Auth and Reading.
func Parse(conf *service.ParsedConfig) (Config, error) {
	c, err := ParseKeeping(conf)
	if err != nil {
		return c, err
	}
	return c, c.parseSpan(conf)
}

// ParseKeeping reads the fields of Auth and Keeping, for an input that has no span of time.
func ParseKeeping(conf *service.ParsedConfig) (Config, error) {
	var c Config
	var err error
	str := func(path ...string) string {
		s, e := conf.FieldString(path...)
		if err == nil {
			err = e
		}
		return s
	}
	c.Cache, c.Key = str(fieldCache), str(fieldKey)
	if err != nil {
		return c, err
	}
	if err = c.parseAuth(conf); err != nil {
		return c, err
	}
	if c.Timeout, err = conf.FieldDuration(fieldTimeout); err != nil {
		return c, err
	}
	if c.Timeout <= 0 {
		return c, fmt.Errorf("reading %s: it must be more than 0", fieldTimeout)
	}
	pageBytes := 0
	for _, f := range []struct {
		name string
		to   *int
	}{{fieldLimit, &c.Limit}, {fieldPageBytes, &pageBytes}, {fieldEventBytes, &c.EventBytes}} {
		if *f.to, err = conf.FieldInt(f.name); err != nil {
			return c, err
		}
		if *f.to < 1 {
			return c, fmt.Errorf("reading %s: it must be at least 1", f.name)
		}
	}
	c.PageBytes = int64(pageBytes)
	if c.Rate, err = conf.FieldFloat(fieldRate); err != nil {
		return c, err
	}
	if c.Rate <= 0 {
		return c, fmt.Errorf("reading %s: it must be more than 0", fieldRate)
	}
	return c, nil
}

// parseSpan reads the fields of Reading that those of Keeping are not.
func (c *Config) parseSpan(conf *service.ParsedConfig) error {
	start, err := conf.FieldString(fieldStart)
	if err != nil {
		return err
	}
	end, err := conf.FieldString(fieldEnd)
	if err != nil {
		return err
	}
	if c.Start, err = ParseMoment(start); err != nil {
		return fmt.Errorf("reading %s: %w", fieldStart, err)
	}
	if c.Start.IsZero() {
		return fmt.Errorf("reading %s: it must not be empty", fieldStart)
	}
	if c.End, err = ParseMoment(end); err != nil {
		return fmt.Errorf("reading %s: %w", fieldEnd, err)
	}
	if !after(c.End, c.Start) {
		return fmt.Errorf("reading %s: it must lie after %s", fieldEnd, fieldStart)
	}
	for _, f := range []struct {
		name string
		to   *time.Duration
	}{{fieldPoll, &c.Poll}, {fieldOverlap, &c.Overlap}} {
		if *f.to, err = conf.FieldDuration(f.name); err != nil {
			return err
		}
		if *f.to <= 0 {
			return fmt.Errorf("reading %s: it must be more than 0", f.name)
		}
	}
	return nil
}

// Moment is a point in time, absolute or so far before now. The zero value is none.
type Moment struct {
	at     time.Time
	before time.Duration
	set    bool
}

// ParseMoment reads -24h, -30d, 2026-11-01 or 2026-11-01T00:00:00Z; an empty string gives none.
func ParseMoment(s string) (Moment, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return Moment{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, time.DateOnly} {
		if at, err := time.Parse(layout, s); err == nil {
			return Moment{at: at.UTC(), set: true}, nil
		}
	}
	span, err := parseSpan(strings.TrimPrefix(s, "-"))
	if err != nil {
		return Moment{}, fmt.Errorf("%q is neither a span before now like -24h or -30d, nor a day like 2026-11-01, nor a time like 2026-11-01T00:00:00Z", s)
	}
	return Moment{before: span, set: true}, nil
}

func parseSpan(s string) (time.Duration, error) {
	for _, unit := range []struct {
		name   string
		length time.Duration
	}{{"d", 24 * time.Hour}, {"w", 7 * 24 * time.Hour}} {
		if number, ok := strings.CutSuffix(s, unit.name); ok {
			n, err := strconv.ParseFloat(number, 64)
			if err != nil || n < 0 || n > 10_000 {
				return 0, fmt.Errorf("reading span %q", s)
			}
			return time.Duration(n * float64(unit.length)), nil
		}
	}
	d, err := time.ParseDuration(s)
	if err == nil && d < 0 {
		return 0, fmt.Errorf("reading span %q", s)
	}
	return d, err
}

// after is false where it is certain, whatever the time, that end does not lie after start.
func after(end, start Moment) bool {
	switch {
	case !end.set:
		return true
	case start.at.IsZero() && end.at.IsZero():
		return end.before < start.before
	case start.at.IsZero() || end.at.IsZero():
		return true
	}
	return end.at.After(start.at)
}

// IsZero is true where no time was given.
func (m Moment) IsZero() bool { return !m.set }

// String writes the moment so that the same one, however it was spelled, is the same text.
func (m Moment) String() string {
	switch {
	case !m.set:
		return ""
	case m.at.IsZero():
		return "-" + m.before.String()
	}
	return m.at.Format(time.RFC3339Nano)
}

// At makes the moment absolute.
func (m Moment) At(now time.Time) time.Time {
	switch {
	case !m.set:
		return time.Time{}
	case m.at.IsZero():
		return now.Add(-m.before).UTC()
	}
	return m.at
}
