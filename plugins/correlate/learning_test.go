package correlate

import (
	"bytes"
	"fmt"
	"log/slog"
	"regexp"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/engine"
	"benthos-oci/plugins/internal/event"
	"benthos-oci/plugins/internal/watermark"
)

const newAddressRule = `id: site-new
title: A new address
severity: low
description: Detects an address.
match: {class_uid: 6003}
first_seen: {value: src_endpoint.ip, within: 30d, learn: 14d}
`

// TestLearningIsSaidAndMeasured lets time pass by a day at a time: an event comes on the second day.
func TestLearningIsSaidAndMeasured(t *testing.T) {
	s := newSite(t, "")
	s.write("site-new.yaml", newAddressRule)
	s.later()
	var log bytes.Buffer
	s.learning.log = service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))
	gauge := map[string]int64{}
	s.learning.left = func(seconds int64, rule string) { gauge[rule] = seconds }
	day := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	number := 0
	pass := func(days int, final bool) map[string]int64 {
		t.Helper()
		number++
		to := event.TimeOf(day.AddDate(0, 0, days))
		if final {
			to = event.MaxTime
		}
		tick := watermark.Tick{Number: fmt.Sprintf("%020d", number), Boot: "b", All: to, Tenancies: map[string]event.Time{"t1": to}, Final: final}
		if _, err := s.ProcessBatch(t.Context(), service.MessageBatch{tickMessageOf(t, tick)}); err != nil {
			t.Fatal(err)
		}
		return gauge
	}
	left := func(when string, got map[string]int64, want time.Duration) {
		t.Helper()
		if diff := cmp.Diff(map[string]int64{"site-new": int64(want.Seconds())}, got); diff != "" {
			t.Errorf("%s, seconds left (-want +got):\n%s", when, diff)
		}
	}
	left("before the first event", pass(0, false), 14*24*time.Hour)
	content := fmt.Sprintf(`{"class_uid":6003,"metadata":{"uid":"1","tenant_uid":"t1"},"src_endpoint":{"ip":"10.0.0.1"},"time":%d}`, day.AddDate(0, 0, 1).UnixMilli())
	if _, err := s.ProcessBatch(t.Context(), messages(content)); err != nil {
		t.Fatal(err)
	}
	left("with the first event", pass(1, false), 14*24*time.Hour)
	left("a day before the end", pass(14, false), 24*time.Hour)
	left("at the end", pass(15, false), 0)
	left("after it", pass(16, false), 0)
	pass(17, true)
	lines := regexp.MustCompile(`level=(\w+) msg="([^"]*)"`).FindAllStringSubmatch(log.String(), -1)
	var said []string
	for _, l := range lines {
		said = append(said, l[1]+" "+l[2])
	}
	if diff := cmp.Diff([]string{
		"INFO The rule site-new learns what is usual, 14d of event time, and is silent until 2026-12-06T00:00:00.000Z in the tenancy that it met last; at a first start the past can teach it, by incidents_from",
		"INFO The rule site-new has learned what is usual: from now on it fires",
	}, said); diff != "" {
		t.Errorf("what is logged (-want +got):\n%s", diff)
	}
	gauge["site-new"] = 7
	s.write("site-new.yaml", siteRule[:4]+"site-new"+siteRule[12:])
	s.later()
	left("when it is no such rule any more", gauge, 0)
}

// TestAllTimeThatPassesAtTheEndTeachesNothing is about inputs that end while a rule learns.
func TestAllTimeThatPassesAtTheEndTeachesNothing(t *testing.T) {
	s := newSite(t, "")
	s.write("site-new.yaml", newAddressRule)
	s.later()
	s.learning.left = func(seconds int64, rule string) {
		t.Errorf("%s: got %d seconds left at the end, want nothing said", rule, seconds)
	}
	tick := watermark.Tick{Number: "1", Boot: "b", All: event.MaxTime, Tenancies: map[string]event.Time{"t1": event.MaxTime}, Final: true}
	if _, err := s.ProcessBatch(t.Context(), service.MessageBatch{tickMessageOf(t, tick)}); err != nil {
		t.Fatal(err)
	}
}

// TestLearningIsWholeWhileTimeStandsStill is about events that came before any watermark.
func TestLearningIsWholeWhileTimeStandsStill(t *testing.T) {
	s := newSite(t, "")
	s.write("site-new.yaml", newAddressRule)
	s.later()
	got := int64(0)
	s.learning.left = func(seconds int64, _ string) { got = seconds }
	until := event.TimeOf(time.Date(2026, 12, 5, 0, 0, 0, 0, time.UTC))
	s.learning.passed(engine.Stats{All: event.MinTime, Learning: map[string]event.Time{"site-new": until}})
	if want := int64(14 * 24 * 3600); got != want {
		t.Errorf("seconds left: got %d, want %d", got, want)
	}
}
