// Package ocistreaming is the input oci_streaming: the messages of a stream of Oracle's Streaming service.
//
// It is the first stage of the data's way for what Connector Hub and others put into a stream. A page of messages leaves as one batch;
// what was acked is committed to the consumer group, or kept as an offset where partitions are read without one:
//
//	input:
//	  oci_streaming:
//	    auth: { profile: PROD }
//	    stream_id: ocid1.stream.oc1.eu-frankfurt-1.aaaa
//	    group: benthos-oci
package ocistreaming

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/lintrule"
	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocifields"
)

// Name is the name of the component.
const Name = "oci_streaming"

const (
	fieldStream     = "stream_id"
	fieldRegion     = "region"
	fieldGroup      = "group"
	fieldInstance   = "instance"
	fieldConsumers  = "consumers"
	fieldTimeout    = "session_timeout"
	fieldPartitions = "partitions"
	fieldStart      = "start"
	fieldEnd        = "end"
	fieldPoll       = "poll_interval"
	fieldPage       = "max_page_messages"
)

// Words of the fields start and partitions.
const (
	oldest = "oldest"
	latest = "latest"
	all    = "all"
)

// Bounds of the fields.
const (
	minTimeout   = 5 * time.Second
	maxTimeout   = 5 * time.Minute // beyond it a cursor would expire between two heartbeats
	maxConsumers = 64
	maxName      = 64
)

const (
	streamPattern = `^ocid1\.stream\.[A-Za-z0-9._-]+$`
	badStream     = "must be the OCID of a stream: ocid1.stream...."
	namePattern   = `^[A-Za-z0-9._-]{1,64}$`
	badName       = "must consist of at most 64 letters, digits, dots, dashes and underscores"
	timePattern   = `-?[0-9]+(\.[0-9]+)?(ms|s|m|h|d|w)([0-9.]+(ms|s|m|h))*|[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9:.]+(Z|[+-][0-9:]{5}))?`
	badStart      = "must be oldest, latest, a span before now like -24h, or a time like 2026-11-01T00:00:00Z"
	badEnd        = "must be a span before now like -1h, or a time like 2026-11-01T00:00:00Z"
)

var nameForm = regexp.MustCompile(namePattern)

// Spec describes the component.
func Spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Beta().
		Categories("Services").
		Summary("Reads the messages of a stream of Oracle Cloud's Streaming service, in a consumer group or partition by partition.").
		Description(description).
		Fields(ocifields.Auth()...).
		Fields(
			service.NewStringField(fieldStream).Description("OCID of the stream. Where its messages are is asked for.").
				LintRule(matches(streamPattern, badStream)).Example("ocid1.stream.oc1.eu-frankfurt-1.aaaa"),
			service.NewStringField(fieldRegion).Description("Region of the stream. Empty: the one that its OCID names.").Default("").Example("eu-frankfurt-1"),
			service.NewStringField(fieldGroup).Description("The consumer group. Instances of one group share the partitions of the stream, and each message goes to one of them. "+
				"A stream has at most 50 groups.").Default("benthos-oci").LintRule(matches(namePattern, badName)),
			service.NewStringField(fieldInstance).Description("What this instance is called in its group; no other may have the same name. Empty: the host's name and a random ending. "+
				"With a name that stays, a process that was killed goes on at once; otherwise its partitions come back after `session_timeout`.").
				Default("").LintRule(`root = if this != "" && !this.re_match(`+strconv.Quote(namePattern)+`) { `+strconv.Quote(badName)+` }`).Example("collector-1"),
			service.NewIntField(fieldConsumers).Description("Instances that this input has in the group, each with partitions of its own: more than the stream has partitions is no use.").
				Default(1).LintRule(fmt.Sprintf(`root = if this < 1 || this > %d { "must be between 1 and %d" }`, maxConsumers, maxConsumers)),
			service.NewDurationField(fieldTimeout).Description("How long an instance may be silent before the others get its partitions. While messages are on their way it sends heartbeats; between 5s and 5m.").
				Default("30s").LintRule(lintrule.Span(fieldTimeout, minTimeout, maxTimeout)).Advanced(),
			service.NewStringListField(fieldPartitions).Description("Partitions to read without a group, by their numbers, or `all`. Their positions are kept in `checkpoint_cache`, and `group`, `instance` and `consumers` mean nothing.").
				Default([]any{}).Example([]any{"0", "1"}).Example([]any{all}),
			service.NewStringField(fieldStart).Description("Where a new group, or a partition without a saved position, begins: at the `oldest` message that the stream still has, the `latest`, "+
				"a span before now (`-24h`) or a time, by when messages were put into the stream.").
				Default(oldest).LintRule(matches(`^(oldest|latest|`+timePattern+`)$`, badStart)).Examples(oldest, latest, "-24h", "2026-11-01T00:00:00Z"),
			service.NewStringField(fieldEnd).Description("Where reading ends: the input ends once everything that was put into the stream before then was delivered; what came later may have left as well. "+
				"Empty: it never ends.").Default("").LintRule(matches(`^(|`+timePattern+`)$`, badEnd)).Examples("-0s", "2026-11-02T00:00:00Z"),
			service.NewDurationField(fieldPoll).Description("How long to wait after an empty page.").Default("1s").LintRule(lintrule.Span(fieldPoll, lintrule.Positive, 0)),
			service.NewIntField(fieldPage).Description("Most messages of a page, which leaves as one batch. A page holds about 1 MiB at most.").
				Default(1000).LintRule(fmt.Sprintf(`root = if this < 1 || this > %d { "must be between 1 and %d" }`, oci.MaxStreamMessages, oci.MaxStreamMessages)).Advanced(),
		).
		Fields(ocifields.Keeping(ocifields.Keep{
			Cache:     "Label of the cache resource that keeps the positions of `partitions`. A group keeps its own at Oracle's, and needs none.",
			Rate:      "Most requests a second of this input. Streaming allows five reads a second for each partition and group.",
			PerSecond: requestsPerSecond,
		})...).
		Example("Audit events from Connector Hub", "In a consumer group: run as many of these as the stream has partitions.", `
input:
  oci_streaming:
    auth:
      profile: PROD
    stream_id: ocid1.stream.oc1.eu-frankfurt-1.aaaa
    group: siem
`).
		Example("Partitions without a group", "Each partition from a day ago on, with positions that survive restarts.", `
input:
  oci_streaming:
    auth:
      profile: PROD
    stream_id: ocid1.stream.oc1.eu-frankfurt-1.aaaa
    partitions: [ all ]
    start: -24h
    checkpoint_cache: state

cache_resources:
  - label: state
    file:
      directory: /var/lib/benthos-oci
`)
}

func matches(pattern, bad string) string {
	return `root = if !this.re_match(` + strconv.Quote(pattern) + `) { ` + strconv.Quote(bad) + ` }`
}

// requestsPerSecond is the default of this input's rate.
const requestsPerSecond = 20

const description = `
Each message is the value of one message of the stream, as it was put there.

== Delivery

At least once. In a group, a page is committed only after all of its messages were acked; after a crash at any point, and where another
instance takes a partition over, what was not committed comes again, and nothing is lost. Without a group, the offset of each partition is
saved in ` + "`checkpoint_cache`" + ` instead. A rejected page is sent again until it is accepted. Messages leave once over clean restarts.

== Back pressure

The next page is asked for when the one before was acked. While the output is down, heartbeats keep the partitions, and nothing is read.

== Shutdown

On a clean stop the input waits for its acks and commits. On a kill it goes on from the last commit, once its partitions are free again.

== Metadata

` + "`oci_source`, `oci_tenancy`, `oci_region`, `oci_stream`, `oci_partition`, `oci_offset`, `oci_timestamp`, `oci_request_id`" + `,
` + "`oci_key`" + ` where the message has a key, and ` + "`oci_error`" + ` on a message that is malformed or too large;
such a message is also flagged as failed, so that ` + "`errored()`" + ` finds it.
`

// config is the configuration of the input.
type config struct {
	ocifields.Config
	stream, region  string
	group, instance string
	consumers       int
	timeout         time.Duration
	partitions      []string
	// start is zero for the oldest message.
	start ocifields.Moment
	page  int
}

func parse(conf *service.ParsedConfig) (c config, err error) {
	if c.Config, err = ocifields.ParseKeeping(conf); err != nil {
		return c, err
	}
	start, end := "", ""
	for _, f := range []struct {
		name string
		to   *string
	}{{fieldStream, &c.stream}, {fieldRegion, &c.region}, {fieldGroup, &c.group}, {fieldInstance, &c.instance}, {fieldStart, &start}, {fieldEnd, &end}} {
		if *f.to, err = conf.FieldString(f.name); err != nil {
			return c, err
		}
	}
	for _, f := range []struct {
		name string
		to   *time.Duration
	}{{fieldTimeout, &c.timeout}, {fieldPoll, &c.Poll}} {
		if *f.to, err = conf.FieldDuration(f.name); err != nil {
			return c, err
		}
	}
	for _, f := range []struct {
		name string
		to   *int
	}{{fieldConsumers, &c.consumers}, {fieldPage, &c.page}} {
		if *f.to, err = conf.FieldInt(f.name); err != nil {
			return c, err
		}
	}
	if c.partitions, err = conf.FieldStringList(fieldPartitions); err != nil {
		return c, err
	}
	switch start {
	case oldest:
	case latest:
		start = "0s"
		fallthrough
	default:
		if c.start, err = ocifields.ParseMoment(start); err != nil || c.start.IsZero() {
			return c, fmt.Errorf("reading %s: it %s", fieldStart, badStart)
		}
	}
	if c.End, err = ocifields.ParseMoment(end); err != nil {
		return c, fmt.Errorf("reading %s: it %s", fieldEnd, badEnd)
	}
	return c, c.check()
}

func (c *config) check() error {
	parts := strings.Split(c.stream, ".")
	if len(parts) < 5 || parts[0] != "ocid1" || parts[1] != "stream" {
		return fmt.Errorf("reading %s: it %s", fieldStream, badStream)
	}
	if c.region == "" {
		c.region = parts[3]
	}
	c.region = oci.CanonicalRegion(c.region)
	switch {
	case !nameForm.MatchString(c.group):
		return fmt.Errorf("reading %s: it %s", fieldGroup, badName)
	case c.instance != "" && !nameForm.MatchString(c.instance):
		return fmt.Errorf("reading %s: it %s", fieldInstance, badName)
	case c.consumers < 1 || c.consumers > maxConsumers:
		return fmt.Errorf("reading %s: it must be between 1 and %d", fieldConsumers, maxConsumers)
	case c.timeout < minTimeout || c.timeout > maxTimeout:
		return fmt.Errorf("reading %s: it is %s and must be between %s and %s", fieldTimeout, c.timeout, minTimeout, maxTimeout)
	case c.Poll <= 0:
		return fmt.Errorf("reading %s: it must be more than 0", fieldPoll)
	case c.page < 1 || c.page > oci.MaxStreamMessages:
		return fmt.Errorf("reading %s: it must be between 1 and %d", fieldPage, oci.MaxStreamMessages)
	}
	for i, p := range c.partitions {
		n, err := strconv.Atoi(p)
		switch {
		case p == all && len(c.partitions) == 1:
		case err != nil || n < 0 || strconv.Itoa(n) != p:
			return fmt.Errorf("reading %s: %q is no number of a partition, and %q must stand alone", fieldPartitions, p, all)
		case slices.Contains(c.partitions[:i], p):
			return fmt.Errorf("reading %s: %s is named twice", fieldPartitions, p)
		}
	}
	return nil
}

// grouped is true where a consumer group is used.
func (c *config) grouped() bool { return len(c.partitions) == 0 }
