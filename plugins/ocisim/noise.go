package ocisim

import (
	"slices"
	"time"

	"benthos-oci/plugins/internal/sample"
)

// record is one audit event as it is kept: the rest is made of its number when it is served.
type record struct {
	time      int64 // ms
	processed int64 // ms
	number    int32 // below 0: the woven event of number -n-1
	person    int32 // below 0: a program
	op        uint16
	failed    bool
}

// share is how often an operation occurs in the noise.
type share struct {
	op     string
	weight int
	root   bool          // recorded in the root compartment of the home region
	user   bool          // acts on a user
	people bool          // done by people only
	failed bool          // refused
	apart  time.Duration // a person does it again no sooner
}

// noiseMix is an ordinary day of a tenancy. 98 of 100 calls read.
// Nothing in it fires a shipped rule: what rules count is refused here, or so rare that no window holds enough.
var noiseMix = []share{
	{op: "ListInstances", weight: 700},
	{op: "GetInstance", weight: 900},
	{op: "ListVnicAttachments", weight: 400},
	{op: "ListBootVolumeAttachments", weight: 200},
	{op: "ListVolumeAttachments", weight: 200},
	{op: "ListImages", weight: 80},
	{op: "ListShapes", weight: 80},
	{op: "GetVnic", weight: 400},
	{op: "ListVcns", weight: 250},
	{op: "GetVcn", weight: 150},
	{op: "ListSubnets", weight: 250},
	{op: "GetSubnet", weight: 200},
	{op: "ListRouteTables", weight: 100},
	{op: "ListSecurityLists", weight: 150},
	{op: "ListNetworkSecurityGroupSecurityRules", weight: 100},
	{op: "ListPublicIps", weight: 80},
	{op: "ListPrivateIps", weight: 80},
	{op: "ListBuckets", weight: 200},
	{op: "GetBucket", weight: 300},
	{op: "HeadBucket", weight: 150},
	{op: "GetNamespace", weight: 150},
	{op: "ListObjects", weight: 200},
	{op: "ListVolumes", weight: 150},
	{op: "GetVolume", weight: 100},
	{op: "ListBootVolumes", weight: 80},
	{op: "ListVaults", weight: 60},
	{op: "GetVault", weight: 60},
	{op: "ListKeys", weight: 60},
	{op: "GetKey", weight: 80},
	{op: "ListSecrets", weight: 80},
	{op: "GetSecret", weight: 60},
	{op: "GetSecretBundle", weight: 300},
	{op: "ListAutonomousDatabases", weight: 120},
	{op: "GetAutonomousDatabase", weight: 150},
	{op: "ListDbSystems", weight: 80},
	{op: "ListLoadBalancers", weight: 100},
	{op: "GetLoadBalancer", weight: 100},
	{op: "GetLoadBalancerHealth", weight: 250},
	{op: "ListClusters", weight: 80},
	{op: "GetCluster", weight: 150},
	{op: "ListNodePools", weight: 100},
	{op: "ListBastions", weight: 30},
	{op: "GetBastion", weight: 30},
	{op: "ListSessions", weight: 30},
	{op: "ListLogGroups", weight: 60},
	{op: "ListLogs", weight: 60},
	{op: "SearchLogs", weight: 120},
	{op: "SummarizeMetricsData", weight: 900},
	{op: "ListMetrics", weight: 150},
	{op: "ListAlarms", weight: 80},
	{op: "ListAlarmsStatus", weight: 250},
	{op: "getStream", weight: 60},
	{op: "ListQueues", weight: 20},
	{op: "ListRules", weight: 40},
	{op: "ListTopics", weight: 40},
	{op: "ListSubscriptions", weight: 30},
	{op: "ListApplications", weight: 30},
	{op: "GetFunction", weight: 60},
	{op: "ListStacks", weight: 30},
	{op: "GetJob", weight: 80},
	{op: "SearchResources", weight: 80},
	{op: "ListLimitValues", weight: 60},
	{op: "ListZones", weight: 40},
	{op: "ListFileSystems", weight: 40},
	{op: "ListUsers", weight: 100, root: true},
	{op: "GetUser", weight: 250, root: true, user: true},
	{op: "ListApiKeys", weight: 60, root: true, user: true},
	{op: "ListGroups", weight: 80, root: true},
	{op: "ListUserGroupMemberships", weight: 80, root: true},
	{op: "ListPolicies", weight: 80, root: true},
	{op: "ListCompartments", weight: 200, root: true},
	{op: "ListRegionSubscriptions", weight: 100, root: true},
	{op: "ListAvailabilityDomains", weight: 80, root: true},
	{op: "ListTagNamespaces", weight: 40, root: true},
	{op: "ListEvents", weight: 150, root: true},
	{op: "ListProblems", weight: 30, root: true},
	{op: "ListAnnouncements", weight: 60, root: true},
	{op: "ListBudgets", weight: 20, root: true},
	{op: "RequestSummarizedUsages", weight: 30, root: true},

	{op: "InteractiveLogin", weight: 25, root: true, people: true, apart: 20 * time.Minute},
	{op: "sso.session.create.success", weight: 55, root: true, people: true, apart: 20 * time.Minute},
	{op: "sso.app.access.success", weight: 40, root: true, people: true},
	{op: "sso.session.delete.success", weight: 20, root: true, people: true},
	// People who mistype their password: once, and not again within the windows of the rules.
	{op: "InteractiveLogin", weight: 4, root: true, people: true, failed: true, apart: 30 * time.Minute},
	{op: "sso.authentication.failure", weight: 8, root: true, people: true, failed: true, apart: 30 * time.Minute},

	{op: "LaunchInstance", weight: 12},
	{op: "UpdateInstance", weight: 12},
	{op: "InstanceAction", weight: 20},
	{op: "UpdateVnic", weight: 8},
	{op: "TerminateInstance", weight: 6, people: true, apart: 20 * time.Minute},
	{op: "CreateVolume", weight: 8},
	{op: "AttachVolume", weight: 8},
	{op: "CreateVolumeBackup", weight: 15},
	{op: "UpdateSecurityList", weight: 4},
	{op: "UpdateRouteTable", weight: 3},
	{op: "CreateBucket", weight: 3},
	{op: "UpdateBucket", weight: 4},
	{op: "CreatePreauthenticatedRequest", weight: 3},
	{op: "UpdateBackend", weight: 15},
	{op: "UpdateNodePool", weight: 5},
	{op: "CreateJob", weight: 15},
	{op: "CreateSession", weight: 8},
	{op: "UpdateFunction", weight: 6},
	{op: "CreateKubeconfig", weight: 6},
	{op: "UpdateUser", weight: 3, root: true, user: true, people: true},
	{op: "admin.user.update.success", weight: 3, root: true, user: true, people: true},
	{op: "CreateMfaTotpDevice", weight: 2, root: true, user: true, people: true},
	{op: "admin.me.password.change.success", weight: 3, root: true, people: true},
	{op: "UpdatePolicy", weight: 2, root: true, people: true},
	// Refused calls: they look like what rules watch, and must not count.
	{op: "UploadApiKey", weight: 1, root: true, user: true, people: true, failed: true},
	{op: "CreatePolicy", weight: 1, root: true, people: true, failed: true},
	{op: "DeleteUser", weight: 1, root: true, user: true, people: true, failed: true},
	{op: "AddUserToGroup", weight: 1, root: true, user: true, people: true, failed: true},
	{op: "GetBucket", weight: 12, failed: true},
	{op: "GetInstance", weight: 8, failed: true},
	{op: "GetSecret", weight: 3, failed: true},
}

// calm is what stands in where a share would come too soon after itself.
const calm = 1 // GetInstance

// drawer draws shares by their weight.
type drawer struct{ upTo []int }

func newDrawer() drawer {
	var d drawer
	total := 0
	for _, s := range noiseMix {
		total += s.weight
		d.upTo = append(d.upTo, total)
	}
	return d
}

func (d drawer) draw(g *gen) int {
	n := g.below(d.upTo[len(d.upTo)-1])
	i, found := slices.BinarySearch(d.upTo, n)
	if found {
		i++
	}
	return i
}

// happen lets the tenancy's span pass: first the stories, then noise up to the wanted number of events.
func (t *tenancy) happen() {
	if !t.config.NoStories {
		t.weave()
	}
	share := t.config.Events / t.config.Tenancies
	if t.number < t.config.Events%t.config.Tenancies {
		share++
	}
	t.noise(max(share-len(t.woven), 0))
	for i, event := range t.woven {
		at := place{event.region, event.compartment}
		t.records[at] = append(t.records[at], record{event.options.Time.UnixMilli(), event.processed.UnixMilli(), int32(-i - 1), 0, 0, false})
	}
	for at := range t.records {
		slices.SortFunc(t.records[at], func(a, b record) int {
			if a.processed != b.processed {
				return int(a.processed - b.processed)
			}
			return int(a.number - b.number)
		})
	}
}

type deed struct {
	share  int
	person int32
}

func (t *tenancy) noise(n int) {
	draw, last := newDrawer(), map[deed]int64{}
	span := t.config.End.Sub(t.config.Start)
	for i := range n {
		g := newGen(t.config.Seed, uint64(t.number), uint64(i))
		at := t.config.Start.Add(time.Duration((float64(i) + g.float()) / float64(n) * float64(span))).UnixMilli()
		kind := draw.draw(&g)
		person := int32(g.below(t.config.Users))
		if !noiseMix[kind].people && g.float() < programs(at) {
			person = int32(-1 - g.below(24))
		}
		if apart := noiseMix[kind].apart; apart > 0 {
			before, done := last[deed{kind, person}]
			if done && at-before < apart.Milliseconds() {
				kind = calm
			} else {
				last[deed{kind, person}] = at
			}
		}
		s := noiseMix[kind]
		where := t.somewhere(&g, at, s.root)
		processed := at + t.delay(&g).Milliseconds()
		t.records[where] = append(t.records[where], record{at, processed, int32(i), person, uint16(kind), s.failed})
	}
}

// programs is the part of the calls that programs make: most at night, when people sleep.
func programs(at int64) float64 {
	const begin, end = 6, 19 // hours UTC
	if hour := time.UnixMilli(at).UTC().Hour(); hour >= begin && hour < end {
		return 0.3
	}
	return 0.8
}

// somewhere draws a place; the first compartments and the home region see most. Nothing happens in a compartment before it is made or after it is deleted.
func (t *tenancy) somewhere(g *gen, at int64, root bool) place {
	if root {
		return place{t.regions[0], 0}
	}
	number := min(g.below(len(t.compartments)), g.below(len(t.compartments)))
	if !t.compartments[number].open(time.UnixMilli(at)) {
		number = 0
	}
	return place{t.regions[min(g.below(len(t.regions)), g.below(len(t.regions)))], number}
}

// delay is how long the Audit service takes to process an event: mostly a minute or so, for late ones up to 14 minutes,
// for one in fifty of those up to 20.
func (t *tenancy) delay(g *gen) time.Duration {
	const soonest = 5 * time.Second
	late := g.float() < t.config.LateFraction
	rest := g.float()
	switch {
	case late && g.float() < 0.02:
		return 14*time.Minute + time.Duration(rest*float64(6*time.Minute))
	case late:
		return 5*time.Minute + time.Duration(rest*float64(9*time.Minute))
	}
	return min(soonest+g.wait(45*time.Second), 4*time.Minute)
}

// lag is how long after its processed time the index shows a record: not at all for most, minutes for some of the late ones.
func (t *tenancy) lag(r record) time.Duration {
	g := newGen(t.config.Seed, uint64(t.number), uint64(uint32(r.number)), uint64(r.processed))
	if t.config.IndexLag == 0 || g.float() >= t.config.LateFraction {
		return 0
	}
	return time.Duration(g.float() * float64(t.config.IndexLag))
}

// identify gives the event id of a record.
func (t *tenancy) identify(r record) string {
	if r.number < 0 {
		return t.woven[-r.number-1].options.ID
	}
	g := newGen(t.config.Seed, uint64(t.number), uint64(r.number), 7)
	return uuidOf(&g)
}

// render gives the record as the API returns it.
func (t *tenancy) render(where place, r record) []byte {
	if r.number < 0 {
		event := t.woven[-r.number-1]
		return sample.JSON(event.op, event.options)
	}
	s := noiseMix[r.op]
	g := newGen(t.config.Seed, uint64(t.number), uint64(r.number), 11)
	o := sample.Options{
		ID: t.identify(r), Time: time.UnixMilli(r.time).UTC(),
		Tenancy: sample.Principal{Name: t.name, ID: t.id},
	}
	c := t.compartments[where.compartment]
	o.Compartment, o.Region = sample.Principal{Name: c.name, ID: c.id}, where.region
	t.cast(&o, r, &g)
	if s.user {
		o.Target = t.principal(g.below(t.config.Users))
	}
	if s.failed && s.op != "sso.authentication.failure" {
		o.Status = []string{"404", "404", "401", "409"}[g.below(4)]
		if s.op == "InteractiveLogin" {
			o.Status = "400"
		}
	}
	return sample.JSON(s.op, o)
}

// cast says who did it and from where.
func (t *tenancy) cast(o *sample.Options, r record, g *gen) {
	if r.person >= 0 {
		o.Actor, o.IP = t.principal(int(r.person)), t.address(int(r.person))
		o.Console = g.float() < 0.5
		return
	}
	n := int(-r.person)
	kinds := []string{"instance", "fnfunc", "cluster", "serviceconnector"}
	kind := kinds[n%len(kinds)]
	o.Actor = sample.Principal{Name: kind + "-" + compartmentNames[n%len(compartmentNames)], ID: sample.OCID(kind, o.Region, t.id, kind, compartmentNames[n%len(compartmentNames)])}
	o.IP = t.address(t.config.Users + n)
}
