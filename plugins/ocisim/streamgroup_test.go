package ocisim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"
)

func TestGroupGoesOnBehindWhatWasCommitted(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	w.fill(4)
	page, next := w.get(w.group("a"), 2)
	// Without a commit everything comes again.
	again, _ := w.get(w.group("a"), 2)
	if !slices.Equal(values(page), values(again)) {
		t.Errorf("got %v, then %v; want the same, for nothing was committed", values(page), values(again))
	}
	// The first cursor's session is over.
	if g := w.hold("commit", next); g.status != http.StatusBadRequest {
		t.Errorf("committing with the cursor of a session that is over: got %d, want 400", g.status)
	}
	page, next = w.get(w.group("a"), 2)
	next = w.value(w.hold("commit", next))
	seen := values(page)
	for range 3 {
		page, next = w.get(next, 2)
		seen = append(seen, values(page)...)
	}
	slices.Sort(seen)
	if want := []string{"0/0", "0/1", "0/2", "0/3", "1/0", "1/1", "1/2", "1/3"}; !slices.Equal(seen, want) {
		t.Errorf("got %v, want each once: %v", seen, want)
	}
	if _, committed := w.sim.Reservations(w.of.OCID, "g"); committed[0]+committed[1] != 0 { // 1 and -1
		t.Errorf("got commits up to %v, want two messages of one partition", committed)
	}
}

func TestGetCommitsThePageBeforeWhereItIsAskedTo(t *testing.T) {
	w := newStreamWorld(t, InboxStream, func(c *Config) { c.Partitions = 1 })
	w.fill(4)
	cursor := w.cursor("/groupCursors", map[string]any{"groupName": "g", "instanceName": "a", "type": cursorTrimHorizon})
	committed := func() int64 { _, c := w.sim.Reservations(w.of.OCID, "g"); return c[0] }
	_, cursor = w.get(cursor, 2)
	if got := committed(); got != -1 {
		t.Errorf("after the first page: committed up to %d, want nothing", got)
	}
	if _, _ = w.get(cursor, 2); committed() != 1 {
		t.Errorf("after the second page: committed up to %d, want the first page, 1", committed())
	}
}

func TestPartitionsAreSharedAmongInstances(t *testing.T) {
	w := newStreamWorld(t, InboxStream, func(c *Config) { c.Partitions = 5 })
	w.fill(1)
	count := func() string {
		readers, _ := w.sim.Reservations(w.of.OCID, "g")
		n := map[string]int{}
		for _, r := range readers {
			n[r]++
		}
		return fmt.Sprint(n["a"], n["b"], n[""])
	}
	a := w.group("a")
	if got := count(); got != "5 0 0" {
		t.Errorf("one instance: got %s", got)
	}
	b := w.group("b")
	if got := count(); got != "3 2 0" {
		t.Errorf("two instances: got %s", got)
	}
	w.now = w.now.Add(29 * time.Second)
	a = w.value(w.hold("heartbeat", a))
	w.now = w.now.Add(2 * time.Second)
	if got := count(); got != "5 0 0" {
		t.Errorf("after b was silent for 31 seconds: got %s", got)
	}
	if g := w.call(http.MethodGet, "/messages", url.Values{"cursor": {b}}, nil); g.status != http.StatusBadRequest {
		t.Errorf("reading with the cursor of an instance that is gone: got %d, want 400", g.status)
	}
	if page, _ := w.get(a, 0); len(page) != 1 {
		t.Errorf("got %d messages, want those of one partition at a time", len(page))
	}
}

func TestCommitIsRefusedWhereAnotherReadsThePartition(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	w.fill(1)
	a := w.group("a")
	_, a = w.get(a, 0)
	_, a = w.get(a, 0) // both partitions
	w.group("b")
	if g := w.hold("commit", a); g.status != http.StatusBadRequest {
		t.Errorf("got %d, want 400", g.status)
	}
	if _, committed := w.sim.Reservations(w.of.OCID, "g"); committed[0] != -1 || committed[1] != -1 {
		t.Errorf("got commits up to %v, want none", committed)
	}
}

func TestGroupTellsItsReservationsAndCanBeMoved(t *testing.T) {
	w := newStreamWorld(t, InboxStream, func(c *Config) { c.Partitions = 1 })
	w.fill(3)
	_, cursor := w.get(w.group("a"), 2)
	w.value(w.hold("commit", cursor))
	var g struct {
		GroupName    string
		Reservations []struct {
			Partition, ReservedInstance string
			CommittedOffset             *int64
			TimeReservedUntil           time.Time
		}
	}
	read := func() {
		t.Helper()
		answer := w.call(http.MethodGet, "/groups/g", nil, nil)
		if answer.status != http.StatusOK || json.Unmarshal(answer.body, &g) != nil || len(g.Reservations) != 1 {
			t.Fatalf("got %d %s", answer.status, answer.body)
		}
	}
	read()
	if r := g.Reservations[0]; r.Partition != "0" || r.ReservedInstance != "a" || *r.CommittedOffset != 1 || !r.TimeReservedUntil.Equal(w.now.Add(30*time.Second)) {
		t.Errorf("got %+v", r)
	}
	if answer := w.call(http.MethodPut, "/groups/g", nil, map[string]any{"type": cursorTrimHorizon}); answer.status != http.StatusNoContent {
		t.Fatalf("got %d %s", answer.status, answer.body)
	}
	if page, _ := w.get(cursor, 0); len(page) != 3 {
		t.Errorf("got %v after the group was moved to the oldest message, want all", values(page))
	}
	if answer := w.call(http.MethodGet, "/groups/x", nil, nil); answer.status != http.StatusNotFound {
		t.Errorf("an unknown group: got %d, want 404", answer.status)
	}
}

func TestGroupsVanishUnusedAndAreLimited(t *testing.T) {
	w := newStreamWorld(t, InboxStream, func(c *Config) { c.Partitions = 1 })
	w.fill(2)
	_, cursor := w.get(w.group("a"), 0)
	w.value(w.hold("commit", cursor))
	w.now = w.now.Add(maxRetention + time.Second)
	w.fill(1)
	if page, _ := w.get(w.group("a"), 0); len(page) != 1 || page[0].Offset != 2 {
		t.Errorf("got %+v, want what a new group at the oldest message reads", page)
	}
	for n := 1; n < maxGroups; n++ {
		w.cursor("/groupCursors", map[string]any{"groupName": fmt.Sprint("g", n), "type": cursorLatest})
	}
	if g := w.call(http.MethodPost, "/groupCursors", nil, map[string]any{"groupName": "more", "type": cursorLatest}); g.status != http.StatusBadRequest || g.code(t) != "LimitExceeded" {
		t.Errorf("the 51st group: got %d %s, want 400 LimitExceeded", g.status, g.body)
	}
}

func TestGetsAreThrottledByPartitionAndGroup(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	get := func(cursor string) int {
		return w.call(http.MethodGet, "/messages", url.Values{"cursor": {cursor}}, nil).status
	}
	one := w.cursor("/cursors", map[string]any{"partition": "0", "type": cursorTrimHorizon})
	other := w.cursor("/cursors", map[string]any{"partition": "1", "type": cursorTrimHorizon})
	for n := range 5 {
		if status := get(one); status != http.StatusOK {
			t.Fatalf("GET %d of a second: got %d", n+1, status)
		}
	}
	if status := get(one); status != http.StatusTooManyRequests {
		t.Errorf("the sixth GET of a second: got %d, want 429", status)
	}
	if status := get(other); status != http.StatusOK {
		t.Errorf("a GET of another partition: got %d, want 200", status)
	}
	w.now = w.now.Add(time.Second)
	if status := get(one); status != http.StatusOK {
		t.Errorf("a second later: got %d, want 200", status)
	}
	group := w.group("a") // has two partitions
	for range 10 {
		if status := get(group); status != http.StatusOK {
			t.Fatalf("a group's GET: got %d", status)
		}
	}
	if status := get(group); status != http.StatusTooManyRequests {
		t.Errorf("the eleventh GET of an instance with two partitions: got %d, want 429", status)
	}
}

func TestEmptyPagesOfAStreamGoOn(t *testing.T) {
	w := newStreamWorld(t, InboxStream, func(c *Config) { c.EmptyPages, c.Partitions = 0.4, 1 })
	w.fill(30)
	cursor, empty, read, run := w.group("a"), 0, 0, 0
	for read < 30 {
		page, next := w.get(cursor, 1)
		if run++; len(page) > 0 {
			run = 0
		} else {
			empty++
		}
		if run > 1 {
			t.Fatal("two empty pages came one after the other")
		}
		read, cursor = read+len(page), next
	}
	if empty == 0 {
		t.Error("no page was empty")
	}
}

func TestFaultsSpoilPagesOfAStream(t *testing.T) {
	for _, effect := range []Effect{EffectMalformed, EffectUTF8, EffectControl, EffectDuplicate, EffectLoop} {
		w := newStreamWorld(t, InboxStream, func(c *Config) { c.Partitions = 1 })
		w.fill(2)
		w.sim.Faults().Add(Fault{Effect: effect, Operation: "GetMessages"})
		cursor := w.group("a")
		answer := w.call(http.MethodGet, "/messages", url.Values{"cursor": {cursor}}, nil)
		if answer.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", effect, answer.status, answer.body)
		}
		if loops := answer.header.Get(headerNextCursor) == cursor; loops != (effect == EffectLoop) {
			t.Errorf("%s: the next cursor is this one: %v", effect, loops)
		}
		var page []wireMessage
		if whole := json.Unmarshal(answer.body, &page) == nil && len(page) == 2; whole != (effect == EffectLoop) {
			t.Errorf("%s: got %s", effect, answer.body)
		}
	}
}

func TestStreamPermissionsCanBeDenied(t *testing.T) {
	w := newStreamWorld(t, InboxStream, nil)
	cursor := w.group("a")
	for permission, call := range map[string]func() got{
		ReadStreams:   func() got { return w.call(http.MethodGet, "", nil, nil) },
		UseStreamPull: func() got { return w.call(http.MethodGet, "/messages", url.Values{"cursor": {cursor}}, nil) },
		UseStreamPush: func() got {
			return w.call(http.MethodPost, "/messages", nil, map[string]any{"messages": []any{map[string]any{"value": "YQ=="}}})
		},
	} {
		if g := call(); g.status != http.StatusOK {
			t.Errorf("%s: got %d %s before it was denied", permission, g.status, g.body)
		}
		w.sim.Deny(Denial{Permission: permission})
		if g := call(); g.status != http.StatusNotFound || g.code(t) != "NotAuthorizedOrNotFound" {
			t.Errorf("%s: got %d %s, want 404", permission, g.status, g.body)
		}
		w.sim.Allow(Denial{Permission: permission})
	}
}
