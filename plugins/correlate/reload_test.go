package correlate

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"
)

const siteRule = `id: site-two
title: Two of them
severity: low
description: Detects two.
window: 1h
match: {class_uid: 6003}
having: count() >= 2
`

// site is a correlator over a folder of rules. It looks at its files when the test lets time pass: now is far ahead of the clock.
type site struct {
	*processor
	t   *testing.T
	dir string
	now time.Time
}

func newSite(t *testing.T, fields string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir(), now: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.write("site-two.yaml", siteRule)
	s.write("overrides.yaml", "rules: {}\n")
	conf, err := spec().ParseYAML("rule_files: ["+s.dir+"/site-*.yaml]\noverrides: ["+s.dir+"/overrides.yaml]\n"+fields, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := configFromParsed(conf)
	if err != nil {
		t.Fatal(err)
	}
	if s.processor, err = newProcessor(c, service.MockResources()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *site) write(name, content string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(content), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// later lets the processor look at its files.
func (s *site) later() {
	s.now = s.now.Add(listInterval)
	s.watch.refresh(s.now, s.reload)
}

func (s *site) titles(ids ...string) []string {
	s.t.Helper()
	var contents, titles []string
	for _, id := range ids {
		contents = append(contents, document(id))
	}
	out, err := s.ProcessBatch(s.t.Context(), messages(contents...))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, batch := range out {
		for _, msg := range batch {
			v, err := msg.AsStructured()
			if err != nil {
				s.t.Fatal(err)
			}
			titles = append(titles, v.(map[string]any)["message"].(string))
		}
	}
	slices.Sort(titles)
	return titles
}

func TestRulesAreReadAgainAndKeepTheirWindows(t *testing.T) {
	s := newSite(t, "")
	if got := s.titles("e1"); got != nil {
		t.Fatalf("one event: got %q", got)
	}
	s.write("site-two.yaml", siteRule+"incident: {title: Two in other words}\n")
	s.write("site-one.yaml", "id: site-one\ntitle: Each\nseverity: low\ndescription: Detects one.\nmatch: {class_uid: 6003}\n")
	s.later()
	if diff := cmp.Diff([]string{"Each", "Two in other words"}, s.titles("e2")); diff != "" {
		t.Errorf("other words and another rule (-want +got)\n%s", diff)
	}
}

func TestOneMistakeKeepsAllRules(t *testing.T) {
	s := newSite(t, "")
	s.write("site-two.yaml", siteRule+"incident: {title: Never said}\n")
	s.write("site-bad.yaml", "id: site-bad\ntitle: X\n")
	s.later()
	if diff := cmp.Diff([]string{"Two of them"}, s.titles("e1", "e2")); diff != "" {
		t.Errorf("a broken file (-want +got)\n%s", diff)
	}
	if err := os.Remove(filepath.Join(s.dir, "site-bad.yaml")); err != nil {
		t.Fatal(err)
	}
	s.write("overrides.yaml", "rules: {site-two: {enabled: false}}\n")
	s.later()
	if got := s.titles("e3", "e4"); got != nil {
		t.Errorf("switched off: got %q", got)
	}
}

func TestRulesAreReadOncePerChange(t *testing.T) {
	s := newSite(t, "")
	reads := 0
	look := func() { s.watch.refresh(s.now, func() { reads++ }) }
	s.write("site-bad.yaml", "id: site-bad\n")
	s.now = s.now.Add(listInterval)
	for range 3 {
		look()
		s.now = s.now.Add(listInterval)
	}
	s.write("site-bad.yaml", "id: site-bad-too\n")
	s.now = s.now.Add(-1)
	look()
	if reads != 1 {
		t.Errorf("got %d reads of one change, want 1", reads)
	}
	s.now = s.now.Add(1)
	look()
	if reads != 2 {
		t.Errorf("got %d reads of two changes, want 2", reads)
	}
}
