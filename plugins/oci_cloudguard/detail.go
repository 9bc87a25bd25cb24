package ocicloudguard

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
)

// How much of a problem's details is in its message, as oci_detail says.
const (
	detailFull    = "full"
	detailPartial = "partial" // the problem in full, but not all of its histories and endpoints
	detailNone    = "none"    // the problem as the list shows it
)

// detail says how much of a problem was read, and why not all.
type detail struct {
	level string
	err   error
}

// errBudget says that a sweep has spent its requests.
var errBudget = errors.New("detail_budget of this sweep is spent")

// extra is a list that belongs to a problem, added to its message under name.
type extra struct {
	name, part string
	read       func(id, token string) (oci.Page, error)
}

// extras are the lists that belong to a problem of the detector.
func (r *reader) extras(detector string) []extra {
	all := []extra{{"histories", "the histories of problems", func(id, token string) (oci.Page, error) {
		return r.client.ProblemHistories(r.ctx, r.region, id, token)
	}}}
	// What is found by scanning a configuration came from no address.
	if slices.Contains(repeating, detector) {
		return all
	}
	return append(all, extra{"endpoints", "the endpoints of problems", func(id, token string) (oci.Page, error) {
		return r.client.ProblemEndpoints(r.ctx, r.region, id, token)
	}})
}

// detailBatch is how many problems are read in full before they are sent.
const detailBatch = 50

// risks in the order in which problems get their share of the budget.
var risks = []string{"CRITICAL", "HIGH", "MEDIUM", "LOW", "MINOR"}

// byRisk puts the problems of the highest risk first.
func byRisk(news []record) []record {
	rank := func(one record) int {
		if at := slices.Index(risks, strings.ToUpper(one.risk)); at >= 0 {
			return at
		}
		return len(risks)
	}
	slices.SortStableFunc(news, func(a, b record) int { return rank(a) - rank(b) })
	return news
}

// inFull reads the problems with their details as far as the budget goes. What cannot be read in full stays as it is.
// A problem that changed meanwhile is judged again.
func (r *reader) inFull(s collect.Sweep, news []record) []record {
	for i := range news {
		if news[i].item.Err == nil {
			r.fill(s, &news[i])
		}
	}
	return slices.DeleteFunc(news, func(one record) bool { return one.verdict == collect.Unchanged })
}

// fill reads one problem with its details.
func (r *reader) fill(s collect.Sweep, one *record) {
	id := one.item.ID
	var full oci.Item
	err := r.ask("problems in full", func() (err error) {
		full, _, err = r.client.Problem(r.ctx, r.region, id)
		return err
	})
	again := *one
	if err == nil {
		again = r.read(full, s)
		again.requestID = one.requestID
		err = again.item.Err
	}
	if err != nil {
		r.incomplete(one, detailNone, err)
		return
	}
	again.detail = detail{level: detailFull}
	if again.verdict = r.judgeAgain(*one, again); again.verdict == collect.Unchanged {
		*one = again
		return
	}
	for _, list := range r.extras(again.detector) {
		raw, err := r.join(again.item.Raw, id, list)
		if err != nil {
			r.incomplete(&again, detailPartial, err)
			continue
		}
		again.item.Raw = raw
	}
	*one = again
}

// judgeAgain judges a problem that was read a moment after the list, in which it may have changed.
func (r *reader) judgeAgain(before, now record) collect.Verdict {
	if before.problem.Print == now.problem.Print && before.problem.Open == now.problem.Open {
		return before.verdict
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems.Nacked(before.problem)
	verdict := r.problems.Judge(now.problem)
	if verdict != collect.Unchanged {
		r.problems.Sent(now.problem)
	}
	return verdict
}

// incomplete notes why a problem leaves without all of its details.
func (r *reader) incomplete(one *record, level string, err error) {
	if one.detail.err == nil {
		reason := "error"
		if errors.Is(err, errBudget) {
			reason = "budget"
			r.thin++
		}
		r.undetailed.Incr(1, reason)
		one.detail.err = err
	}
	one.detail.level = level
}

// ask makes one call of the budget. What failed once is not asked for again in the same sweep: it would fail for each problem.
func (r *reader) ask(part string, call func() error) error {
	switch err := r.given[part]; {
	case err != nil:
		return err
	case r.budget <= 0:
		return errBudget
	}
	r.budget--
	err := call()
	failure, told := errors.AsType[*oci.Error](err)
	switch {
	case err == nil:
		r.health.Worked(part)
	case r.ctx.Err() != nil:
	case told && failure.Status == http.StatusNotFound && failure.Operation == "GetProblem":
		// The lists can be read, so this is no missing permission: Cloud Guard has dropped the problem.
	default:
		r.given[part] = err
		r.health.Failed(part, err)
	}
	return err
}

// join reads all pages of a list and adds it to a problem. The bytes of both stay as the API returned them.
func (r *reader) join(problem []byte, id string, list extra) ([]byte, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(problem, &members); err != nil {
		return nil, fmt.Errorf("reading the problem: %w", err)
	}
	if _, taken := members[list.name]; taken {
		return nil, fmt.Errorf("the problem has a field %s already", list.name)
	}
	problem = bytes.TrimRight(problem, " \t\r\n")
	out := fmt.Appendf(slices.Clip(problem[:len(problem)-1]), `,%q:[`, list.name)
	token, tokens, first := "", map[string]bool{}, true
	for {
		var page oci.Page
		err := r.ask(list.part, func() (err error) {
			page, err = list.read(id, token)
			return err
		})
		if err != nil {
			return nil, err
		}
		for _, item := range page.Items {
			if !json.Valid(item.Raw) {
				return nil, fmt.Errorf("reading %s: an entry is no valid JSON", list.part)
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			out = append(out, item.Raw...)
		}
		if len(out) > r.conf.EventBytes {
			return nil, fmt.Errorf("with its %s the problem has more bytes than max_event_bytes", list.name)
		}
		if page.Next == "" {
			return append(out, "]}"...), nil
		}
		if tokens[page.Next] {
			return nil, fmt.Errorf("reading %s: the same page token came twice", list.part)
		}
		token, tokens[page.Next] = page.Next, true
	}
}
