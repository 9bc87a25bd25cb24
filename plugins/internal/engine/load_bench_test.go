//go:build unix

package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/rule"
	"benthos-oci/plugins/internal/watermark"
)

const auditTenancy = "ocid1.tenancy.oc1..aaaaaaaaqwertyuiopasdfghjklzxcvbnm234567qwertyuiopasdfghjklzx"

// auditEvent is an event as normalization makes it, of about 700 bytes.
func auditEvent(n int, user string, at event.Time) *event.Event {
	id := fmt.Sprintf("%08x-55aa-4c1e-9d55-%012x", n, n*7919)
	doc := map[string]any{
		"time": int64(at), "type_uid": int64(600301), "class_uid": int64(6003), "class_name": "API Activity", "type_name": "API Activity: Create",
		"activity_name": "Create", "status": "Success", "severity": "Informational",
		"metadata": map[string]any{"uid": id, "tenant_uid": auditTenancy, "product": map[string]any{"name": "OCI Audit"}},
		"actor":    map[string]any{"user": map[string]any{"name": "alice", "uid": user}},
		"api": map[string]any{
			"operation": "UploadApiKey", "service": map[string]any{"name": "IdentityControlPlane"},
			"request":  map[string]any{"uid": fmt.Sprintf("csid%016x/%032x/%032x", n, n*31, n*37)},
			"response": map[string]any{"code": int64(200)},
		},
		"src_endpoint": map[string]any{"ip": fmt.Sprintf("10.1.%d.%d", n/250%250, n%250)},
		"resources":    []any{map[string]any{"uid": "ocid1.user.oc1..aaaaaaaaresource" + strconv.Itoa(n), "name": "bob"}},
		"cloud":        map[string]any{"provider": "OCI", "region": "eu-frankfurt-1", "account": map[string]any{"uid": "ocid1.compartment.oc1..aaaaaaaaqwertyuiopasdfghjklzxcvbnm"}},
	}
	ev, err := event.FromDocument(doc, nil, nil)
	if err != nil {
		panic(err)
	}
	return ev
}

// userOf is an OCID as Oracle writes them: 60 letters and digits that say nothing.
func userOf(n int) string {
	random := rand.New(rand.NewPCG(uint64(n), 7))
	b := []byte("ocid1.user.oc1..aaaaaaaa")
	for range 52 {
		b = append(b, "abcdefghijklmnopqrstuvwxyz234567"[random.IntN(32)])
	}
	return string(b)
}

// BenchmarkEveryRuleMatches gives each event to 50 rules, and all of them count it.
func BenchmarkEveryRuleMatches(b *testing.B) {
	for _, principals := range []int{100, 10_000} {
		b.Run(fmt.Sprintf("principals=%d", principals), func(b *testing.B) { everyRule(b, principals) })
	}
}

func everyRule(b *testing.B, principals int) {
	var rules []*rule.Rule
	for i := range 50 {
		rules = append(rules, parseRule(b, fmt.Sprintf(
			"id: r%d\nwindow: %ds\ngroup_by: {user: actor.user.uid}\nmatch: {api.operation: UploadApiKey}\nhaving: count() >= %d", i, 60+i, 100_000+i)))
	}
	e, err := New(context.Background(), Options{Rules: rules, Emit: EmitOptions{Create: true}})
	if err != nil {
		b.Fatal(err)
	}
	users := make([]string, principals)
	for i := range users {
		users[i] = userOf(i)
	}
	const size = 1000
	batch := make([]*event.Event, size)
	n := 0
	var used time.Duration
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		for i := range batch {
			batch[i] = auditEvent(n, users[n*7919%principals], zero+event.Time(n))
			n++
		}
		b.StartTimer()
		before := cpuTime(b)
		if _, err := e.Observe(context.Background(), batch); err != nil {
			b.Fatal(err)
		}
		used += cpuTime(b) - before
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(n), "cpu-ns/event")
}

// BenchmarkHotKeyAggregates counts events of one key, whose window holds 1,000 and 10,000 of them, and judges each when time has passed it.
// The cost of an event must not grow with the window.
func BenchmarkHotKeyAggregates(b *testing.B) {
	for _, having := range []string{"sum(unmapped.v) > 99999999", "avg(unmapped.v) > 99999", "max(unmapped.v) > 99999", "percentile(unmapped.v, 95) > 99999"} {
		for _, held := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%s/window=%d", having, held), func(b *testing.B) { hotAggregate(b, having, held) })
		}
	}
}

func hotAggregate(b *testing.B, having string, held int) {
	e, err := New(context.Background(), Options{
		Rules: []*rule.Rule{parseRule(b, fmt.Sprintf("window: %ds\nmatch: {unmapped.p: a}\nhaving: %s", held, having))}, Emit: EmitOptions{Create: true},
	})
	if err != nil {
		b.Fatal(err)
	}
	batch := make([]*event.Event, 100)
	n := 0
	feed := func() time.Duration {
		for i := range batch {
			batch[i] = eventOf(b, []string{fmt.Sprintf("%ds", n), fmt.Sprintf("e%d", n), "a", "x", fmt.Sprintf("v=%d", n*7919%5000)})
			n++
		}
		before := cpuTime(b)
		if _, err := e.Observe(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
		to := zero.Add(time.Duration(n) * time.Second)
		tick := watermark.Tick{Number: strconv.Itoa(n), Boot: "b", Tenancies: map[string]event.Time{"t1": to}, All: to}
		if _, err := e.Advance(b.Context(), tick); err != nil {
			b.Fatal(err)
		}
		return cpuTime(b) - before
	}
	for n < 10_000 {
		feed()
	}
	var used time.Duration
	events := 0
	for b.Loop() {
		used += feed()
		events += len(batch)
	}
	b.ReportMetric(float64(used.Nanoseconds())/float64(events), "cpu-ns/event")
}
