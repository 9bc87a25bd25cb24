package ocicloudguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/progress"
	"benthos-oci/plugins/internal/watermark"
	"benthos-oci/plugins/ocisim"
)

// live gives a tenancy whose problems arise while they are read.
func live() (ocisim.Config, string) {
	now := time.Now().Truncate(time.Minute)
	return ocisim.Config{Start: now, End: now.Add(24 * time.Hour), Events: 1, NoStories: true, Compartments: 4, Users: 5, Problems: 30}, "start: -1h\n"
}

// after ends the input some time later.
func after(in *input, d time.Duration) {
	go func() {
		time.Sleep(d)
		in.outlet.End()
	}()
}

func TestEveryChangeLeavesAndNoScanDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := live()
		r := newRig(t, c, yaml)
		in, got := r.input("poll_interval: 5m\n"), newInbox()
		after(in, 30*time.Hour)
		r.drain(in, got, nil)
		r.close(in)
		states := map[string][]string{}
		for _, m := range got.all {
			states[m.id] = append(states[m.id], m.state+" "+m.change)
		}
		for _, p := range r.sim.Truth().Problems {
			var want []string
			for i, change := range p.Changes {
				// Two changes within one poll are seen as one.
				if i+1 < len(p.Changes) && p.Changes[i+1].Time.Sub(change.Time) < 10*time.Minute {
					t.Fatalf("%s changes faster than it is polled: choose another seed", p.Name)
				}
				verdict := strings.ToLower(change.Detail)
				if change.Detail == "OPEN" {
					verdict = "reopened"
				}
				if i == 0 {
					verdict = "new"
				}
				want = append(want, change.Detail+" "+verdict)
			}
			if diff := cmp.Diff(states[p.ID], want); diff != "" {
				t.Errorf("%s: got -, want +:\n%s", p.Name, diff)
			}
		}
		if n := r.sim.Count("ListProblems", 200); n < 300 {
			t.Errorf("got %d lists in 30 hours of polls each 5 minutes, want more", n)
		}
	})
}

func TestRestartSendsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := live()
		r := newRig(t, c, yaml)
		got := newInbox()
		for range 10 {
			in := r.input("poll_interval: 5m\n")
			after(in, 3*time.Hour)
			r.drain(in, got, nil)
			r.close(in)
		}
		seen := map[string]bool{}
		for _, m := range got.all {
			key := m.id + " " + m.state + " " + m.change
			if seen[key] {
				t.Errorf("problem %s left twice as %s", m.id, m.state)
			}
			seen[key] = true
		}
		for _, p := range r.sim.Truth().Problems {
			if got.ids[p.ID] < len(p.Changes) {
				t.Errorf("%s left %d times with %d changes", p.Name, got.ids[p.ID], len(p.Changes))
			}
		}
	})
}

func TestKillLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := live()
		r := newRig(t, c, yaml)
		got := newInbox()
		for round := range 40 {
			in := r.input("poll_interval: 5m\n")
			if round < 39 {
				stop := got.took + 1 + round%3
				after(in, 2*time.Hour)
				r.drain(in, got, func() bool { return got.took >= stop })
				kill(in)
				continue
			}
			after(in, 26*time.Hour)
			r.drain(in, got, nil)
			r.close(in)
		}
		last := map[string]string{}
		for _, m := range got.all {
			last[m.id] = m.state
		}
		for _, p := range r.sim.Truth().Problems {
			if want := p.Changes[len(p.Changes)-1].Detail; last[p.ID] != want {
				t.Errorf("%s: its last message says %q, want %q", p.Name, last[p.ID], want)
			}
		}
	})
}

func TestNackSendsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\n")
		in := r.input("")
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		refused, got := newInbox(), newInbox()
		batch, ack, err := in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		refused.take(batch)
		if err := ack(ctx, errors.New("the output is full")); err != nil {
			t.Fatal(err)
		}
		r.drain(in, got, func() bool { return got.count() == len(r.sim.Truth().Problems) })
		synctest.Wait()
		r.close(in)
		for id := range refused.ids {
			if got.ids[id] != 1 {
				t.Errorf("problem %s was refused and left %d times after that, want once", id, got.ids[id])
			}
		}
	})
}

func TestSweepIsRememberedOnlyAfterItsAcks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\n")
		in := r.input("")
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		_, ack, err := in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		_, second, err := in.ReadBatch(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := second(ctx, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		saved := func() bool {
			values, err := in.store.Load(ctx, []string{in.reader.prefix + "/problems"})
			if err != nil {
				t.Fatal(err)
			}
			return values[0] != nil
		}
		if saved() {
			t.Error("the sweep was remembered with a batch on its way")
		}
		if err := ack(ctx, nil); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if !saved() {
			t.Error("the sweep was not remembered after its last ack")
		}
		r.close(in)
	})
}

func TestListsAskForEverythingExplicitly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Format(time.RFC3339)+"\n")
		var lists []map[string]string
		r.via = func(next http.RoundTripper) http.RoundTripper {
			return watch{next, func(req *http.Request) {
				if !strings.HasSuffix(req.URL.Path, "/problems") {
					return
				}
				if !strings.Contains(req.URL.Path, "eu-frankfurt-1") {
					t.Errorf("a list was read from %s, want the reporting region only", req.URL.Path)
				}
				got := map[string]string{}
				for name := range req.URL.Query() {
					got[name] = req.URL.Query().Get(name)
				}
				delete(got, "compartmentId")
				delete(got, "page")
				lists = append(lists, got)
			}}
		}
		in, got := r.input(""), newInbox()
		r.drain(in, got, nil)
		r.close(in)
		want := func(state string) map[string]string {
			return map[string]string{
				"compartmentIdInSubtree": "true", "accessLevel": "ACCESSIBLE", "lifecycleState": state, "limit": "1000",
				"sortBy": "timeLastDetected", "sortOrder": "ASC",
				"timeLastDetectedGreaterThanOrEqualTo": c.Start.Format("2006-01-02T15:04:05.000Z"),
				"timeLastDetectedLessThanOrEqualTo":    c.End.Format("2006-01-02T15:04:05.000Z"),
			}
		}
		seen := map[string]bool{}
		for _, list := range lists {
			if diff := cmp.Diff(list, want(list["lifecycleState"])); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
			seen[list["lifecycleState"]] = true
		}
		if !seen["ACTIVE"] || !seen["INACTIVE"] {
			t.Errorf("got lists of %v, want both", seen)
		}
	})
}

// watch sees each request before it is answered.
type watch struct {
	next http.RoundTripper
	see  func(*http.Request)
}

func (w watch) RoundTrip(req *http.Request) (*http.Response, error) {
	w.see(req)
	return w.next.RoundTrip(req)
}

func TestWatermarkFollowsSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Format(time.RFC3339)+"\n")
		tracker := progress.Of(r.res)
		tracker.Listen(30*time.Minute, time.Hour)
		tracker.Limit(watermark.Limits{MaxHold: 100 * time.Hour})
		in := r.input("")
		ctx := t.Context()
		if err := in.Connect(ctx); err != nil {
			t.Fatal(err)
		}
		for {
			_, ack, err := in.ReadBatch(ctx)
			if errors.Is(err, service.ErrEndOfInput) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if at := tracker.Advance(time.Now()).All; at > event.TimeOf(c.Start) {
				t.Errorf("the watermark is at %s while the sweep is under way, want it at its start", at)
			}
			if err := ack(ctx, nil); err != nil {
				t.Fatal(err)
			}
		}
		if !tracker.Advance(time.Now()).Done {
			t.Error("the source has not ended for the tracker, want it ended")
		}
		r.close(in)
	})
}

// dropper takes a problem out of the lists; asked for by its id it is still there.
type dropper struct {
	next http.RoundTripper
	id   atomic.Value
}

func (d *dropper) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(req)
	id, _ := d.id.Load().(string)
	if err != nil || id == "" || !strings.HasSuffix(req.URL.Path, "/problems") {
		return resp, err
	}
	var list struct {
		Items []json.RawMessage `json:"items"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, err
	}
	resp.Body.Close()
	list.Items = slices.DeleteFunc(list.Items, func(raw json.RawMessage) bool { return strings.Contains(string(raw), id) })
	body, err := json.Marshal(list)
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, err
}

func TestOpenProblemThatIsInNoListIsAskedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, yaml := live()
		r := newRig(t, c, yaml)
		d := &dropper{}
		r.via = func(next http.RoundTripper) http.RoundTripper {
			d.next = next
			return d
		}
		var id string
		var closes time.Time
		for _, p := range r.sim.Truth().Problems {
			if len(p.Changes) == 2 && p.Changes[1].Detail == "RESOLVED" {
				id, closes = p.ID, p.Changes[1].Time
				break
			}
		}
		in, got := r.input("poll_interval: 5m\n"), newInbox()
		r.drain(in, got, func() bool { return got.ids[id] == 1 })
		if !time.Now().Before(closes) {
			t.Fatal("the problem is closed already: the test shows nothing")
		}
		d.id.Store(id)
		after(in, 24*time.Hour)
		r.drain(in, got, nil)
		r.close(in)
		var states []string
		for _, m := range got.all {
			if m.id == id {
				states = append(states, m.state+" "+m.change)
			}
		}
		if diff := cmp.Diff(states, []string{"OPEN new", "RESOLVED resolved"}); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		if r.sim.Count("GetProblem", 200) == 0 {
			t.Error("the problem was not asked for")
		}
	})
}
