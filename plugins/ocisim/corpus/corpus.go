// Package corpus makes audit events for measurements: many, alike on every machine, in the mix of an ordinary tenancy.
//
// It stands before the data's way, as the simulator does, and knows no time and no network:
//
//	err := corpus.Write(w, 1_000_000) // one event a line
package corpus

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strconv"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// Version changes with anything that changes the bytes of the corpus, so that no old file is taken for it.
const Version = 1

const (
	// principals is how many callers there are.
	principals = 10_000
	// counted is how many of a thousand events are of the operations that the counting rule takes.
	counted = 10
	// chunk is how many events are made, shuffled and written at once.
	chunk = 1000
)

var begin = time.Date(2026, 11, 20, 1, 0, 0, 0, time.UTC)

// reads are what 98 of 100 calls in a tenancy are; the weights are those of an ordinary day.
var reads = []share{
	{"SummarizeMetricsData", 900},
	{"GetInstance", 900},
	{"ListInstances", 700},
	{"ListVnicAttachments", 400},
	{"GetVnic", 400},
	{"GetBucket", 300},
	{"GetSecretBundle", 300},
	{"ListVcns", 250},
	{"ListSubnets", 250},
	{"ListAlarmsStatus", 250},
	{"GetLoadBalancerHealth", 250},
	{"ListBuckets", 200},
	{"ListObjects", 200},
	{"GetSubnet", 200},
	{"ListBootVolumeAttachments", 200},
	{"GetVcn", 150},
	{"HeadBucket", 150},
	{"GetCluster", 150},
	{"GetAutonomousDatabase", 150},
	{"ListVolumes", 150},
	{"GetVolume", 100},
	{"SearchResources", 80},
	{"GetKey", 80},
	{"ListSecrets", 80},
	{"GetJob", 80},
}

// changes are the other calls. The counting rule takes the first two of them when they succeed; the shipped rules look at the last five.
var changes = []share{
	{"UpdateInstance", 500},
	{"InstanceAction", 500},
	{"UpdateBucket", 200},
	{"AttachVolume", 150},
	{"CreateVolumeBackup", 150},
	{"LaunchInstance", 150},
	{"TerminateInstance", 50},
	{"InteractiveLogin", 250},
	{"UploadApiKey", 20},
	{"CreatePolicy", 20},
	{"CreateUser", 10},
}

type share struct {
	op     string
	weight int
}

func pick(from []share, r *rand.Rand) string {
	sum := 0
	for _, s := range from {
		sum += s.weight
	}
	n := r.IntN(sum)
	for _, s := range from {
		if n -= s.weight; n < 0 {
			return s.op
		}
	}
	return from[0].op
}

// Write writes so many events, one a line, in the order of their times. The same count gives the same bytes:
// 98 of 100 are reads, one is of the two operations that Counted knows, one is another change.
func Write(to io.Writer, events int) error {
	w := bufio.NewWriterSize(to, 1<<20)
	chunks := (events + chunk - 1) / chunk
	made := make([]chan []byte, chunks)
	for i := range made {
		made[i] = make(chan []byte, 1)
	}
	ahead := make(chan struct{}, 2*runtime.NumCPU())
	go func() {
		for i := range made {
			ahead <- struct{}{}
			go func() { made[i] <- makeChunk(i, min(chunk, events-i*chunk)) }()
		}
	}()
	for i := range made {
		_, err := w.Write(<-made[i])
		if err != nil {
			return fmt.Errorf("writing the corpus: %w", err)
		}
		<-ahead
	}
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing the corpus: %w", err)
	}
	return nil
}

// makeChunk makes events number*chunk and following: exactly the wanted share of each kind, in random order.
func makeChunk(number, events int) []byte {
	r := rand.New(rand.NewPCG(Version, uint64(number)))
	order := r.Perm(chunk)
	var b []byte
	for i := range events {
		op := pick(reads, r)
		switch n := order[i]; {
		case n < counted:
			op = pick(changes[:2], r)
		case n < 2*counted:
			op = pick(changes[2:], r)
		}
		b = append(event(b, op, number*chunk+i, r), '\n')
	}
	return b
}

// event appends one event of somebody: a few principals do more than others, as people and programs do.
func event(b []byte, op string, number int, r *rand.Rand) []byte {
	u := r.Float64()
	who := int(u * u * u * principals)
	o := sample.Options{
		Time:  begin.Add(time.Duration(number)*70*time.Millisecond + time.Duration(r.IntN(60))*time.Millisecond),
		Actor: sample.Principal{Name: "user-" + strconv.Itoa(who) + "@acme.example"},
		IP:    fmt.Sprintf("198.51.%d.%d", who/250%100, 1+who%250),
		ID:    sample.UUID("bench", strconv.Itoa(number)),
	}
	if op == "InteractiveLogin" && r.IntN(10) == 0 {
		o.Status = "401"
	}
	return sample.AppendJSON(b, op, o)
}

// Small gives events of about 700 bytes, a hundred a second, so many in a hundred of them UpdateInstance and the others
// GetInstance, by 10,000 principals in turn; one event in a hundred is by one of ten who do more.
func Small(events, updates int) [][]byte {
	const busy, hundred = 10, 100
	out := make([][]byte, events)
	for i := range out {
		who, op := strconv.Itoa(i*7919%principals), "GetInstance"
		if i%hundred == 0 {
			who = strconv.Itoa(i / hundred % busy)
		}
		if i*37%hundred < updates {
			op = "UpdateInstance"
		}
		out[i] = fmt.Appendf(nil, `{"eventType":"com.oraclecloud.ComputeApi.%s","cloudEventsVersion":"0.1","eventTypeVersion":"2.0","source":"ComputeApi",`+
			`"eventId":"%s","eventTime":"%s","contentType":"application/json","data":{"eventName":"%s",`+
			`"compartmentId":"ocid1.compartment.oc1..aaaaaaaauwlcejmyda3aod","resourceId":"ocid1.instance.oc1.eu-frankfurt-1.aaaaaaaa4xns%s",`+
			`"identity":{"principalName":"user-%s@acme.example","principalId":"ocid1.user.oc1..aaaaaaaakxkr%s","tenantId":"ocid1.tenancy.oc1..aaaaaaaaeshwjz5r","ipAddress":"198.51.100.7"},`+
			`"request":{"id":"BBED26057C047682AF71","path":"/20160918/instances/x","action":"PUT"},"response":{"status":"200"}}}`,
			op, sample.UUID("small", strconv.Itoa(i)), begin.Add(time.Duration(i)*10*time.Millisecond).Format("2006-01-02T15:04:05.000Z"), op, who, who, who)
	}
	return out
}

// Keyed gives the events with the counted ones among them done by one of so many principals, each as often as any other.
func Keyed(lines [][]byte, keys int) [][]byte {
	out := make([][]byte, len(lines))
	r := rand.New(rand.NewPCG(Version, uint64(keys)))
	for i, line := range lines {
		out[i] = line
		if Counted(line) {
			out[i] = doneBy(line, r.IntN(keys))
		}
	}
	return out
}

// Opening gives the event as done by a principal of Keyed in the minute before the corpus begins.
func Opening(line []byte, key int) []byte {
	at := begin.Add(-time.Minute + time.Duration(key%59_000)*time.Millisecond).Format("2006-01-02T15:04:05.000Z")
	line = replaced(doneBy(line, key), `"eventTime":"`, at)
	return replaced(line, `"eventId":"`, sample.UUID("opening", strconv.Itoa(key)))
}

// doneBy gives the event with another principal.
func doneBy(line []byte, key int) []byte {
	return replaced(line, `"principalId":"`, "ocid1.user.oc1..aaaaaaaa"+strconv.Itoa(key))
}

// replaced gives the line with another text behind the first mark.
func replaced(line []byte, mark, by string) []byte {
	i := bytes.Index(line, []byte(mark)) + len(mark)
	j := i + bytes.IndexByte(line[i:], '"')
	out := make([]byte, 0, len(line)+len(by))
	out = append(append(out, line[:i]...), by...)
	return append(out, line[j:]...)
}

// Counted tells the events of the two operations of which one in a hundred is: UpdateInstance and InstanceAction.
func Counted(line []byte) bool {
	head := line[:min(len(line), 100)]
	return bytes.Contains(head, []byte(".UpdateInstance\"")) || bytes.Contains(head, []byte(".InstanceAction\""))
}
