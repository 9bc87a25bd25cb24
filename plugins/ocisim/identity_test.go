package ocisim

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

const compartmentsPath = "/20160918/compartments"

func names(items []map[string]any) []string {
	var all []string
	for _, item := range items {
		s, _ := item["id"].(string)
		all = append(all, s)
	}
	slices.Sort(all)
	return all
}

func TestCompartmentTreeIsListedWithoutItsRoot(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Compartments = 19 })
	c := newClient(t, s, 0)
	root := s.tenancies[0].id
	var all, direct, deleted []string
	for _, one := range s.Tenancies()[0].Compartments[1:] {
		all = append(all, one.OCID)
		if one.Parent == root {
			direct = append(direct, one.OCID)
		}
		if one.Deleted {
			deleted = append(deleted, one.OCID)
		}
	}
	slices.Sort(all)
	slices.Sort(direct)
	if len(all) != 19 || len(direct) == 0 || len(direct) >= 19 || len(deleted) != 1 {
		t.Fatalf("%d compartments, %d below the root, %d deleted: no tree to check", len(all), len(direct), len(deleted))
	}
	for _, tt := range []struct {
		name  string
		query []string
		want  []string
	}{
		{"the whole tree", []string{"compartmentId", root, "compartmentIdInSubtree", "true", "accessLevel", "ACCESSIBLE"}, all},
		{"the tree by pages of 3", []string{"compartmentId", root, "compartmentIdInSubtree", "true", "limit", "3"}, all},
		{"the children only", []string{"compartmentId", root}, direct},
		{"the deleted ones", []string{"compartmentId", root, "compartmentIdInSubtree", "true", "lifecycleState", "deleted"}, deleted},
		{"a state that none has", []string{"compartmentId", root, "compartmentIdInSubtree", "true", "lifecycleState", "CREATING"}, nil},
		{"by name", []string{"compartmentId", root, "compartmentIdInSubtree", "true", "name", s.tenancies[0].compartments[1].name}, []string{s.tenancies[0].compartments[1].id}},
	} {
		if got := names(c.all(t, compartmentsPath, tt.query...)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %d compartments, want %d", tt.name, len(got), len(tt.want))
		}
	}
	for _, page := range c.pages(t, compartmentsPath, "compartmentId", root, "compartmentIdInSubtree", "true", "limit", "3") {
		if len(page) > 3 {
			t.Errorf("a page of limit 3 has %d compartments", len(page))
		}
	}
}

func TestListCompartmentsRefusesWhatOracleRefuses(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	root, child := s.tenancies[0].id, s.tenancies[0].compartments[1].id
	for _, tt := range []struct {
		name   string
		query  []string
		status int
	}{
		{"no compartment", nil, 400},
		{"a subtree below a child", []string{"compartmentId", child, "compartmentIdInSubtree", "true"}, 400},
		{"a limit of 0", []string{"compartmentId", root, "limit", "0"}, 400},
		{"a limit of 1001", []string{"compartmentId", root, "limit", "1001"}, 400},
		{"a limit of 1000", []string{"compartmentId", root, "limit", "1000"}, 200},
		{"a subtree that is neither true nor false", []string{"compartmentId", root, "compartmentIdInSubtree", "yes"}, 400},
		{"an unknown access level", []string{"compartmentId", root, "accessLevel", "ALL"}, 400},
		{"an unknown compartment", []string{"compartmentId", "ocid1.compartment.oc1..x"}, 404},
	} {
		if answer := c.get(t, compartmentsPath, tt.query...); answer.status != tt.status {
			t.Errorf("%s: status = %d, want %d: %s", tt.name, answer.status, tt.status, answer.body)
		}
	}
}

func TestCompartmentsComeAndGoWithTime(t *testing.T) {
	at := now
	s := newSim(t, func(c *Config) { c.Clock = func() time.Time { return at } })
	c := newClient(t, s, 0)
	target := s.tenancies[0].compartments[4]
	for _, tt := range []struct {
		at    time.Time
		state string
	}{{target.deleted.Add(-time.Millisecond), "ACTIVE"}, {target.deleted, "DELETED"}} {
		at, c.date = tt.at, tt.at
		answer := c.get(t, compartmentsPath+"/"+target.id)
		if answer.status != 200 || !slices.Contains([]string{tt.state}, field(t, answer, "lifecycleState")) {
			t.Errorf("at %s: %d %s, want the state %s", tt.at, answer.status, answer.body, tt.state)
		}
	}
	for _, tt := range []struct {
		at   time.Time
		want int
	}{{target.created.Add(-time.Millisecond), 404}, {target.created, 200}} {
		at, c.date = tt.at, tt.at
		if answer := c.get(t, compartmentsPath+"/"+target.id); answer.status != tt.want {
			t.Errorf("at %s: status = %d, want %d", tt.at, answer.status, tt.want)
		}
	}
}

func field(t *testing.T, g got, name string) string {
	t.Helper()
	var m map[string]any
	decode(t, g.body, &m)
	s, _ := m[name].(string)
	return s
}

func TestRegionSubscriptionsNameTheHomeRegion(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Regions = []string{"uk-london-1", "us-phoenix-1", "xy-nowhere-9"} })
	c := newClient(t, s, 0)
	root := s.tenancies[0].id
	list := c.get(t, "/20160918/tenancies/"+root+"/regionSubscriptions").items(t)
	var regions, home []string
	for _, r := range list {
		regions = append(regions, r["regionName"].(string))
		if r["isHomeRegion"] == true {
			home = append(home, r["regionName"].(string))
		}
		if r["status"] != "READY" || r["regionKey"] == "" {
			t.Errorf("subscription %v, want READY and a key", r)
		}
	}
	if !slices.Equal(regions, s.config.Regions) || !slices.Equal(home, []string{"uk-london-1"}) {
		t.Errorf("regions %v, home %v, want %v and the first", regions, home, s.config.Regions)
	}
	tenancy := c.get(t, "/20160918/tenancies/"+root)
	if got := field(t, tenancy, "homeRegionKey"); got != "LHR" {
		t.Errorf("homeRegionKey = %s, want LHR", got)
	}
	for _, path := range []string{"/20160918/tenancies/ocid1.tenancy.oc1..x", "/20160918/tenancies/ocid1.tenancy.oc1..x/regionSubscriptions"} {
		if answer := c.get(t, path); answer.status != http.StatusNotFound {
			t.Errorf("%s: status = %d, want 404", path, answer.status)
		}
	}
}

func TestRegionIsChosenByPathOrHostOrElseHome(t *testing.T) {
	s := newSim(t, func(c *Config) { c.NoStories = true })
	root := s.tenancies[0].id
	home, other := wanted(s, "eu-frankfurt-1", root, day, now), wanted(s, "us-ashburn-1", root, day, now)
	if len(home) == 0 || len(other) == 0 || slices.Equal(home, other) {
		t.Fatalf("%d events at home, %d in the other region: nothing to tell apart", len(home), len(other))
	}
	for _, tt := range []struct {
		base, path string
		want       []string
	}{
		{"http://127.0.0.1:8080", "/us-ashburn-1" + auditPath, other},
		{"http://127.0.0.1:8080", "/us-ashburn-1/audit" + auditPath, other},
		{"http://127.0.0.1:8080", auditPath, home},
		{"https://audit.us-ashburn-1.oraclecloud.com", auditPath, other},
		{"https://audit.eu-frankfurt-1.oraclecloud.com", auditPath, home},
		{"https://audit.us-ashburn-1.oraclecloud.com", "/eu-frankfurt-1" + auditPath, home},
	} {
		c := newClient(t, s, 0)
		c.base = tt.base
		if got := sortedIDs(c.all(t, tt.path, wholeDay(s)...)); !slices.Equal(got, tt.want) {
			t.Errorf("%s%s: %d events, want %d", tt.base, tt.path, len(got), len(tt.want))
		}
	}
	c := newClient(t, s, 0)
	for _, region := range []string{"ap-tokyo-1", "us-phoenix-1"} {
		if answer := c.get(t, "/"+region+auditPath, wholeDay(s)...); answer.status != http.StatusUnauthorized || answer.code(t) != "NotAuthenticated" {
			t.Errorf("%s, to which the tenancy is not subscribed: status = %d, want 401", region, answer.status)
		}
	}
}

func TestUnknownRoutesAndMethodsAreNotFound(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	for _, path := range []string{"/", "/20190901", "/20190901/auditevents", "/20180901/auditEvents", "/20160918/compartments/", "/nowhere", "/20190901/auditEvents/x"} {
		answer := c.get(t, path)
		want := http.StatusNotFound
		if path == "/20160918/compartments/" {
			want = http.StatusBadRequest // the listing itself, without its parameter
		}
		if answer.status != want {
			t.Errorf("%s: status = %d, want %d", path, answer.status, want)
		}
		answer.code(t)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, c.base+compartmentsPath, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Date", now.Format(http.TimeFormat))
	sign(t, r, c.key, c.keyID, "date", "(request-target)", "host")
	if answer := c.do(t, r); answer.status != http.StatusNotFound {
		t.Errorf("DELETE: status = %d, want 404", answer.status)
	}
}

func TestEachAnswerCarriesARequestID(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	seen := map[string]bool{}
	for _, path := range []string{compartmentsPath, "/nowhere", "/20160918/tenancies/" + s.tenancies[0].id} {
		id := c.get(t, path).header.Get("Opc-Request-Id")
		if id == "" || seen[id] {
			t.Errorf("%s: request id %q, want one of its own", path, id)
		}
		seen[id] = true
	}
	c.change = func(r *http.Request) { r.Header.Set("Opc-Request-Id", "mine") }
	if id := c.get(t, "/nowhere").header.Get("Opc-Request-Id"); len(id) <= len("mine/") || id[:5] != "mine/" {
		t.Errorf("request id %q, want the client's continued", id)
	}
	c.keyID = "x/y/z"
	if id := c.get(t, "/nowhere").header.Get("Opc-Request-Id"); id == "" {
		t.Error("an answer of 401 carries no request id")
	}
}

func TestDeniedPermissionsAreNotFound(t *testing.T) {
	s := newSim(t, nil)
	c := newClient(t, s, 0)
	tenancy := s.tenancies[0]
	root, child := tenancy.id, tenancy.compartments[1].id
	audit := func(id string) []string {
		return []string{"compartmentId", id, "startTime", day.Format(time.RFC3339), "endTime", now.Format(time.RFC3339)}
	}
	tests := []struct {
		denial Denial
		path   string
		query  []string
	}{
		{Denial{Permission: ReadAuditEvents}, auditPath, audit(root)},
		{Denial{Permission: ReadAuditEvents, Compartment: child}, auditPath, audit(child)},
		{Denial{Permission: InspectCompartments}, compartmentsPath, []string{"compartmentId", root}},
		{Denial{Permission: InspectCompartments}, compartmentsPath + "/" + child, nil},
		{Denial{Permission: InspectTenancies}, "/20160918/tenancies/" + root, nil},
		{Denial{Permission: InspectTenancies}, "/20160918/tenancies/" + root + "/regionSubscriptions", nil},
		{Denial{Permission: ReadCloudGuardConfig}, "/20200131/configuration", []string{"compartmentId", root}},
		{Denial{Permission: ReadCloudGuardProblems}, "/20200131/problems", []string{"compartmentId", root}},
	}
	for _, tt := range tests {
		s.Deny(tt.denial)
		if answer := c.get(t, tt.path, tt.query...); answer.status != http.StatusNotFound || answer.code(t) != "NotAuthorizedOrNotFound" {
			t.Errorf("%s without %s: status = %d, want 404 NotAuthorizedOrNotFound", tt.path, tt.denial.Permission, answer.status)
		}
		s.Allow(tt.denial)
		if answer := c.get(t, tt.path, tt.query...); answer.status != http.StatusOK {
			t.Errorf("%s with %s again: status = %d, want 200", tt.path, tt.denial.Permission, answer.status)
		}
	}
	s.Deny(Denial{Permission: ReadAuditEvents, Compartment: child})
	if answer := c.get(t, auditPath, audit(root)...); answer.status != http.StatusOK {
		t.Errorf("the root beside an unreadable compartment: status = %d, want 200", answer.status)
	}
	s.Deny(Denial{Permission: ReadAuditEvents, Region: "us-ashburn-1"})
	if answer := c.get(t, "/us-ashburn-1"+auditPath, audit(root)...); answer.status != http.StatusNotFound {
		t.Errorf("a denied region: status = %d, want 404", answer.status)
	}
}

func TestCallsAreCountedAndObserved(t *testing.T) {
	var calls []Call
	s := newSim(t, func(c *Config) { c.Observe = func(call Call) { calls = append(calls, call) } })
	c := newClient(t, s, 0)
	c.get(t, auditPath, wholeDay(s)...)
	c.get(t, auditPath)
	c.get(t, "/nowhere")
	for _, tt := range []struct {
		op     string
		status int
		want   int
	}{{"", 0, 3}, {"ListEvents", 0, 2}, {"ListEvents", 200, 1}, {"ListEvents", 400, 1}, {"", 404, 1}, {"GetProblem", 0, 0}, {"", -1, 0}} {
		if got := s.Count(tt.op, tt.status); got != tt.want {
			t.Errorf("Count(%q, %d) = %d, want %d", tt.op, tt.status, got, tt.want)
		}
	}
	first := calls[0]
	if first.Operation != "ListEvents" || first.Status != 200 || first.Region != "eu-frankfurt-1" || first.Compartment != s.tenancies[0].id || first.Tenancy != s.tenancies[0].id {
		t.Errorf("the first call was observed as %+v", first)
	}
}

func TestConfigurationThatMakesNoSenseIsRefused(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"an end at the start":    func(c *Config) { c.End = c.Start },
		"a region of no kind":    func(c *Config) { c.Regions = []string{"frankfurt"} },
		"a region twice":         func(c *Config) { c.Regions = []string{"eu-paris-1", "eu-paris-1"} },
		"an unknown story":       func(c *Config) { c.Stories = []string{"the-end"} },
		"fewer than no tenancy":  func(c *Config) { c.Tenancies = -1 },
		"more than all fraction": func(c *Config) { c.EmptyPages = 1.1 },
		"no users":               func(c *Config) { c.Users = -1 },
		"pages without place":    func(c *Config) { c.PageSize = -1 },
	} {
		c := Config{Start: day, End: day.Add(time.Hour)}
		change(&c)
		if _, err := New(c); err == nil {
			t.Errorf("%s: New gives no error", name)
		}
	}
	s, err := New(Config{Clock: func() time.Time { return now.Add(7 * time.Minute) }, Events: 10})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.config.End.Sub(s.config.Start), 24*time.Hour; got != want || !s.config.End.Equal(now) {
		t.Errorf("the default span is %s up to %s, want the day up to %s", got, s.config.End, now)
	}
}
