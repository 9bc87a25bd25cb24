package ocisim

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// shippedRules are the rules for each of which a story must be told.
var shippedRules = []string{
	"oci-iam-api-key-uploaded", "oci-iam-user-created", "oci-iam-user-deleted", "oci-iam-user-added-to-group", "oci-iam-mfa-disabled",
	"oci-iam-policy-created", "oci-console-password-spraying", "oci-console-bruteforce-success", "oci-iam-key-then-policy",
	"oci-compute-mass-termination", "oci-audit-retention-reduced",
}

func TestEachShippedRuleHasItsStoryAndItsNearMiss(t *testing.T) {
	s := newSim(t, nil)
	raised, near := map[string]bool{}, map[string]bool{}
	for _, story := range s.Truth().Stories {
		for _, r := range story.Raises {
			raised[r.Rule] = true
			if len(r.Key) == 0 || r.Events < 1 || r.First.After(r.Last) || r.First.Before(story.Start) || r.Last.After(story.End) {
				t.Errorf("%s raises %+v, want a key and events within the story", story.Name, r)
			}
		}
		for _, rule := range story.Silent {
			near[rule] = true
		}
		if len(story.Raises)+len(story.Silent) == 0 {
			t.Errorf("%s says nothing about any rule", story.Name)
		}
	}
	for _, rule := range shippedRules {
		if !raised[rule] || !near[rule] {
			t.Errorf("%s: a story raises it: %t, one comes near: %t, want both", rule, raised[rule], near[rule])
		}
	}
	if len(families) < len(plots) {
		t.Errorf("%d last names for %d stories: two stories would share their people", len(families), len(plots))
	}
	if got, want := len(s.Truth().Stories), len(StoryNames()); got != want {
		t.Errorf("%d stories were woven in, want all %d", got, want)
	}
}

func TestStoriesStandInTheLedger(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Tenancies = 2 })
	byID := map[string]EventTruth{}
	for _, e := range s.Truth().Events {
		if _, twice := byID[e.ID]; twice {
			t.Fatalf("the id %s stands twice in the ledger", e.ID)
		}
		byID[e.ID] = e
	}
	for _, story := range s.Truth().Stories {
		for _, id := range story.Events {
			e, ok := byID[id]
			if !ok || e.Story != story.Name || e.Tenancy != story.Tenancy {
				t.Errorf("the event %s of %s stands in the ledger as %+v", id, story.Name, e)
			}
		}
	}
	for _, e := range s.Truth().Events {
		if e.Time.Before(day) || !e.Time.Before(day.Add(24*time.Hour)) {
			t.Errorf("%s happened at %s, outside the span", e.ID, e.Time)
		}
	}
}

func TestStoriesStayWithinOneDayUTC(t *testing.T) {
	for seed := range uint64(8) {
		s := newSim(t, func(c *Config) {
			c.Seed, c.Start, c.End, c.Events = seed, day.Add(15*time.Hour), day.Add(41*time.Hour), 10
		})
		for _, story := range s.Truth().Stories {
			lasts := plots[plotNumber(story.Name)].lasts
			from, to := story.Start, story.Start.Add(lasts)
			if !from.Truncate(24 * time.Hour).Equal(to.Truncate(24 * time.Hour)) {
				t.Errorf("seed %d: %s reaches from %s to %s, over midnight", seed, story.Name, from, to)
			}
			if story.End.After(story.Start.Add(lasts)) {
				t.Errorf("seed %d: %s lasts longer than its %s", seed, story.Name, lasts)
			}
			if from.Before(s.config.Start) || to.After(s.config.End) {
				t.Errorf("seed %d: %s reaches from %s to %s, outside the span", seed, story.Name, from, to)
			}
		}
	}
}

func TestStoriesOfTheRetentionKeepApart(t *testing.T) {
	for seed := range uint64(8) {
		s := newSim(t, func(c *Config) { c.Seed, c.Events = seed, 10 })
		var times []time.Time
		for _, e := range s.Truth().Events {
			if e.Operation == updateRetention {
				times = append(times, e.Time)
			}
		}
		if len(times) != 4 {
			t.Fatalf("seed %d: the retention was changed %d times, want 4", seed, len(times))
		}
		for i, pair := range [][2]time.Duration{{time.Hour + time.Minute, 3 * time.Hour}, {time.Hour, 24 * time.Hour}, {0, time.Hour}} {
			if gap := times[i+1].Sub(times[i]); gap < pair[0] || gap > pair[1] {
				t.Errorf("seed %d: %s between the changes %d and %d, want %s to %s", seed, gap, i, i+1, pair[0], pair[1])
			}
		}
	}
}

func TestStoriesAreChosenAndThoseThatDoNotFitAreLeftOut(t *testing.T) {
	tell := func(change func(*Config)) []string {
		var names []string
		for _, story := range newSim(t, change).Truth().Stories {
			names = append(names, story.Name)
		}
		return names
	}
	if got := tell(func(c *Config) { c.NoStories = true }); len(got) != 0 {
		t.Errorf("NoStories tells %v", got)
	}
	if got, want := tell(func(c *Config) { c.Stories = []string{"bruteforce", "key-uploaded"} }), []string{"key-uploaded", "bruteforce"}; !slices.Equal(got, want) {
		t.Errorf("two were chosen, %v are told, want %v", got, want)
	}
	short := tell(func(c *Config) { c.End = c.Start.Add(10 * time.Minute) })
	for _, name := range short {
		if lasts := plots[plotNumber(name)].lasts; lasts >= 10*time.Minute {
			t.Errorf("%s lasts %s and is told in 10 minutes", name, lasts)
		}
	}
	if len(short) == 0 || len(short) == len(plots) {
		t.Errorf("%d of %d stories fit into 10 minutes, want some", len(short), len(plots))
	}
	if got := len(newSim(t, func(c *Config) { c.Events = 1 }).Truth().Events); got < len(plots) {
		t.Errorf("with 1 event wanted %d are served, want every story whole", got)
	}
}

func TestPeopleAndAddressesOfStoriesAreNotThoseOfTheNoise(t *testing.T) {
	s := newSim(t, func(c *Config) { c.Events = 5000; c.Users = 300; c.Tenancies = 2 })
	type who struct{ name, ip string }
	read := func(body []byte) who {
		var e struct {
			Data struct {
				Identity struct{ PrincipalName, IPAddress string }
			}
		}
		if err := json.Unmarshal(body, &e); err != nil {
			t.Fatal(err)
		}
		return who{e.Data.Identity.PrincipalName, e.Data.Identity.IPAddress}
	}
	owners := map[string]string{} // of addresses
	stories := map[string]string{}
	for _, tenancy := range s.tenancies {
		for at, records := range tenancy.records {
			for _, r := range records {
				w := read(tenancy.render(at, r))
				if r.number < 0 {
					continue
				}
				if owner, known := owners[w.ip]; known && owner != w.name {
					t.Fatalf("%s and %s share the address %s", owner, w.name, w.ip)
				}
				owners[w.ip] = w.name
			}
		}
	}
	for _, tenancy := range s.tenancies {
		for _, story := range tenancy.stories {
			for at, records := range tenancy.records {
				for _, r := range records {
					if r.number >= 0 || !slices.Contains(story.Events, tenancy.identify(r)) {
						continue
					}
					w := read(tenancy.render(at, r))
					if _, noisy := owners[w.ip]; noisy {
						t.Errorf("the address %s of %s occurs in the noise", w.ip, story.Name)
					}
					if other, used := stories[w.ip]; used && other != tenancy.id+story.Name {
						t.Errorf("the address %s occurs in two stories", w.ip)
					}
					stories[w.ip] = tenancy.id + story.Name
				}
			}
		}
	}
}

// TestNoiseComesNowhereNearTheRules counts in the noise what the shipped rules count, by code of its own.
func TestNoiseComesNowhereNearTheRules(t *testing.T) {
	for _, users := range []int{1, 20, 2000} {
		s := newSim(t, func(c *Config) { c.Events = 30_000; c.Users = users; c.NoStories = true })
		single := []string{"UploadApiKey", "CreateUser", "CreateIdpUser", "DeleteUser", "DeleteIdpUser", "AddUserToGroup", "DeleteMfaTotpDevice", "CreatePolicy", "UpdateConfiguration"}
		fails, ends := map[int32][]int64{}, map[int32][]int64{}
		for _, records := range s.tenancies[0].records {
			for _, r := range records {
				kind := noiseMix[r.op]
				switch {
				case slices.Contains(single, kind.op) && !kind.failed, strings.HasPrefix(kind.op, "admin.user.create"), strings.HasPrefix(kind.op, "admin.user.delete"), strings.HasPrefix(kind.op, "admin.group.add"):
					t.Fatalf("%d users: the noise has a %s that succeeds", users, kind.op)
				case kind.failed && (kind.op == "InteractiveLogin" || kind.op == "sso.authentication.failure"):
					fails[r.person] = append(fails[r.person], r.time)
				case kind.op == "TerminateInstance":
					ends[r.person] = append(ends[r.person], r.time)
				}
			}
		}
		if len(fails) == 0 || len(ends) == 0 {
			t.Fatalf("%d users: nobody fails to sign in or nothing is terminated: nothing to check", users)
		}
		for _, counted := range []struct {
			name  string
			times map[int32][]int64
			most  int
		}{{"failed sign-ins", fails, 2}, {"terminations", ends, 1}} {
			for person, times := range counted.times {
				if got := mostWithin(times, 15*time.Minute); got > counted.most {
					t.Errorf("%d users: the person %d has %d %s in 15 minutes, want at most %d", users, person, got, counted.name, counted.most)
				}
			}
		}
	}
}

// mostWithin gives the largest number of times within one span.
func mostWithin(times []int64, span time.Duration) int {
	slices.Sort(times)
	most := 0
	for i := range times {
		n := 0
		for _, at := range times[i:] {
			if at-times[i] < span.Milliseconds() {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestConfigBlockHoldsWhatAnInputNeeds(t *testing.T) {
	s := newSim(t, nil)
	tenancy := s.Tenancies()[0]
	block := s.ConfigBlock("http://127.0.0.1:8080/", 0)
	for _, want := range []string{
		"auth:\n  tenancy: " + tenancy.OCID + "\n", "  user: " + tenancy.User + "\n", "  fingerprint: " + tenancy.Fingerprint + "\n",
		"  region: eu-frankfurt-1\n", "  private_key: |\n    -----BEGIN RSA PRIVATE KEY-----\n", "    -----END RSA PRIVATE KEY-----\n",
		"endpoint: http://127.0.0.1:8080/{region}\n",
	} {
		if !strings.Contains(block, want) {
			t.Errorf("the block lacks %q:\n%s", want, block)
		}
	}
	if got := s.ConfigBlock("http://127.0.0.1:8080/{region}", 0); got != block {
		t.Error("an endpoint that names {region} is changed")
	}
	if got := s.ConfigBlock("http://127.0.0.1:8080", 1); got != "" {
		t.Errorf("the block of a tenancy that is not there is %q", got)
	}
}

func TestTruthDoesNotDependOnWhatWasAsked(t *testing.T) {
	first := newSim(t, nil)
	newClient(t, first, 0).all(t, auditPath, wholeDay(first)...)
	if diff := cmp.Diff(newSim(t, nil).Truth(), first.Truth()); diff != "" {
		t.Errorf("two simulators of one seed tell different truths (-one +other):\n%s", diff)
	}
}
