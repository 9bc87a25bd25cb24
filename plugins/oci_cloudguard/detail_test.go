package ocicloudguard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"benthos-oci/plugins/ocisim"
)

// detailed reads a day of problems with details, bounded.
func detailed(t *testing.T, c ocisim.Config, extra string) (*rig, *inbox) {
	t.Helper()
	r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\ndetail: true\n")
	in, got := r.input(extra), newInbox()
	r.drain(in, got, nil)
	r.close(in)
	return r, got
}

func TestDetailJoinsProblemHistoriesAndEndpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, got := detailed(t, span(), "")
		truth := map[string]ocisim.ProblemTruth{}
		for _, p := range r.sim.Truth().Problems {
			truth[p.ID] = p
		}
		endpoints := 0
		for _, m := range got.all {
			var doc struct {
				ID             string
				Recommendation string
				DetectorID     string
				Histories      []struct{ LifecycleDetail string }
				Endpoints      []struct{ IPAddress string }
			}
			if err := json.Unmarshal([]byte(m.raw), &doc); err != nil {
				t.Fatalf("the message is no JSON: %v\n%s", err, m.raw)
			}
			p := truth[doc.ID]
			if m.detail != "full" || m.detailFault != "" || doc.Recommendation == "" {
				t.Errorf("%s: got detail %q %q, recommendation %q; want it in full", p.Name, m.detail, m.detailFault, doc.Recommendation)
			}
			if len(doc.Histories) != len(p.Changes) || doc.Histories[0].LifecycleDetail != "OPEN" {
				t.Errorf("%s: got %d histories, want %d, the oldest first", p.Name, len(doc.Histories), len(p.Changes))
			}
			if strings.Contains(doc.DetectorID, "CONFIGURATION") == (len(doc.Endpoints) > 0) {
				t.Errorf("%s of %s: got %d endpoints", p.Name, doc.DetectorID, len(doc.Endpoints))
			}
			endpoints += len(doc.Endpoints)
		}
		if len(got.all) != 30 || endpoints == 0 {
			t.Errorf("got %d problems with %d endpoints, want 30 with some", len(got.all), endpoints)
		}
	})
}

// TestDetailKeepsToItsBudgetAndEveryProblemLeaves counts the requests that details cost.
func TestDetailKeepsToItsBudgetAndEveryProblemLeaves(t *testing.T) {
	for _, tt := range []struct {
		budget, most, full int
	}{{0, 0, 0}, {1, 1, 0}, {3, 3, 1}, {20, 20, -1}, {500, 110, 30}} {
		t.Run(strconv.Itoa(tt.budget), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := span()
				c.EmptyPages = -1
				r, got := detailed(t, c, fmt.Sprintf("detail_budget: %d\n", tt.budget))
				requests := r.sim.Count("GetProblem", 0) + r.sim.Count("ListProblemHistories", 0) + r.sim.Count("ListProblemEndpoints", 0)
				if requests > tt.most {
					t.Errorf("got %d requests for details, want at most %d", requests, tt.most)
				}
				levels, reasons := map[string]int{}, 0
				for _, m := range got.all {
					levels[m.detail]++
					if m.detail != "full" && m.detailFault == errBudget.Error() {
						reasons++
					}
				}
				if len(got.all) != 30 || tt.full >= 0 && levels["full"] != tt.full {
					t.Errorf("got %d problems, %v; want 30, %d of them in full", len(got.all), levels, tt.full)
				}
				if reasons != 30-levels["full"] {
					t.Errorf("got %d problems that say that the budget is spent, want %d", reasons, 30-levels["full"])
				}
				want := 1
				if levels["full"] == 30 {
					want = 0
				}
				if n := r.log.count("detail_budget"); n != want {
					t.Errorf("got %d lines about the budget, want %d:\n%s", n, want, r.log)
				}
			})
		})
	}
}

func TestDetailGoesToTheHighestRiskFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got := detailed(t, span(), "detail_budget: 12\n")
		worst := map[string]int{} // the least rank without detail, the greatest with
		rank := map[string]int{"CRITICAL": 0, "HIGH": 1, "MEDIUM": 2, "LOW": 3, "MINOR": 4}
		worst["none"] = 9
		for _, m := range got.all {
			at := rank[field(m.raw, "riskLevel")]
			if m.detail == "none" {
				worst["none"] = min(worst["none"], at)
				continue
			}
			worst["some"] = max(worst["some"], at)
		}
		if worst["some"] > worst["none"] {
			t.Errorf("got details for a problem of rank %d while one of rank %d has none", worst["some"], worst["none"])
		}
	})
}

// TestDetailThatCannotBeReadIsAskedForOnceASweep covers a refusal of each of the three calls.
func TestDetailThatCannotBeReadIsAskedForOnceASweep(t *testing.T) {
	for _, tt := range []struct{ operation, level string }{
		{"GetProblem", "none"}, {"ListProblemHistories", "partial"}, {"ListProblemEndpoints", "partial"},
	} {
		t.Run(tt.operation, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c := span()
				r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\ndetail: true\n")
				r.sim.Faults().Add(ocisim.Fault{Effect: ocisim.EffectStatus, Status: 403, Operation: tt.operation})
				in, got := r.input(""), newInbox()
				r.drain(in, got, nil)
				r.close(in)
				lacking := 0
				for _, m := range got.all {
					if m.detail == "full" {
						continue
					}
					lacking++
					if m.detail != tt.level || !strings.Contains(m.detailFault, tt.operation) {
						t.Errorf("got detail %q %q, want %s because of %s", m.detail, m.detailFault, tt.level, tt.operation)
					}
				}
				if len(got.all) != 30 || lacking == 0 {
					t.Errorf("got %d problems, %d of them without all details; want 30, and some", len(got.all), lacking)
				}
				if n := r.sim.Count(tt.operation, 403); n != 1 {
					t.Errorf("it was asked for %d times, want once", n)
				}
				if n := r.log.count(tt.operation); n != 1 {
					t.Errorf("got %d lines about it, want 1:\n%s", n, r.log)
				}
			})
		})
	}
}

// TestProblemThatChangesWhileItsDetailsAreReadLeavesOnce resolves a problem between the list and the request for the problem.
func TestProblemThatChangesWhileItsDetailsAreReadLeavesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, id := quiet(t)
		r.yaml += "detail: true\n"
		done := false
		r.via = func(next http.RoundTripper) http.RoundTripper {
			return watch{next, func(req *http.Request) {
				if strings.HasSuffix(req.URL.Path, "/problems/"+id) && !done {
					done = true
					r.update(id, ocisim.ProblemUpdate{Detail: "RESOLVED"})
				}
			}}
		}
		in, got := r.input(""), newInbox()
		after(in, 3*time.Hour)
		r.drain(in, got, nil)
		r.close(in)
		if told := got.told(id); len(told) != 1 || told[0] != "RESOLVED resolved" {
			t.Errorf("got %v, want the problem once, resolved", told)
		}
	})
}

// TestDetailedProblemsLeaveAFewAtATime keeps what is in memory small, and what comes twice after a kill.
func TestDetailedProblemsLeaveAFewAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := span()
		c.Problems = 3*detailBatch + 1
		r := newRig(t, c, "start: "+c.Start.Format(time.RFC3339)+"\nend: "+c.End.Add(time.Hour).Format(time.RFC3339)+"\ndetail: true\n")
		in := r.input("")
		if err := in.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := newInbox()
		for got.count() < c.Problems {
			batch, ack, err := in.ReadBatch(t.Context())
			if err != nil {
				t.Fatalf("after %d problems: %v", got.count(), err)
			}
			if len(batch) > detailBatch {
				t.Errorf("got a batch of %d problems, want at most %d", len(batch), detailBatch)
			}
			got.take(batch)
			if err := ack(t.Context(), nil); err != nil {
				t.Fatal(err)
			}
		}
		r.close(in)
		if len(got.all) != c.Problems {
			t.Errorf("got %d problems, want %d, each once", len(got.all), c.Problems)
		}
	})
}
