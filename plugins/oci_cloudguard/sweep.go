package ocicloudguard

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
)

// pageSize is how many problems are asked for at a time.
const pageSize = 1000

// record is one problem on its way.
type record struct {
	item      oci.Item
	problem   collect.Problem
	verdict   collect.Verdict
	where     string // compartment
	requestID string
}

// list follows the pages of one list of problems; a page without problems may have a token, too.
func (r *reader) list(s collect.Sweep, state string) error {
	query := oci.ProblemQuery{Region: r.region, State: state, From: s.From, To: s.To, Limit: pageSize}
	tokens := map[string]bool{}
	for {
		page, err := r.client.Problems(r.ctx, query)
		if err != nil {
			return err
		}
		// Said before the problems are handed on: Benthos takes them only from an input that is connected.
		r.trouble.Store(nil)
		if err := r.deliver(s, page.Items, page.RequestID); err != nil {
			return err
		}
		if page.Next == "" {
			return nil
		}
		if tokens[page.Next] {
			return errRepeated(r.region, page.RequestID)
		}
		tokens[page.Next] = true
		query.Page = page.Next
	}
}

// askForMissing reads one by one the problems that were open and are in neither list.
func (r *reader) askForMissing(s collect.Sweep) error {
	r.mu.Lock()
	missing := r.problems.Missing()
	r.mu.Unlock()
	for _, id := range missing {
		item, requestID, err := r.client.Problem(r.ctx, r.region, id)
		if failure, ok := errors.AsType[*oci.Error](err); ok && failure.Status == http.StatusNotFound {
			// The lists can be read, so this is no missing permission: Cloud Guard has dropped the problem.
			r.mu.Lock()
			r.problems.Forget(id)
			r.mu.Unlock()
			continue
		}
		if err != nil {
			return err
		}
		if err := r.deliver(s, []oci.Item{item}, requestID); err != nil {
			return err
		}
	}
	return nil
}

// deliver hands on the problems that are new or have changed.
func (r *reader) deliver(s collect.Sweep, items []oci.Item, requestID string) error {
	var news []record
	r.mu.Lock()
	for _, item := range items {
		one := r.read(item, s)
		one.requestID = requestID
		if one.verdict = r.problems.Judge(one.problem); one.verdict != collect.Unchanged {
			r.problems.Sent(one.problem)
			news = append(news, one)
		}
	}
	if len(news) > 0 {
		r.flying++
	}
	r.mu.Unlock()
	r.metrics.Repeated.Incr(int64(len(items)-len(news)), r.region)
	if len(news) == 0 {
		return nil
	}
	batch := make(service.MessageBatch, len(news))
	for i, one := range news {
		if r.conf.detail && one.item.Err == nil {
			one.item = r.inFull(one.item)
		}
		if one.item.Err != nil {
			r.metrics.Malformed.Incr(1, r.region)
		}
		batch[i] = r.message(one, s)
	}
	r.metrics.Events.Incr(int64(len(batch)), r.region)
	done := r.mark.Read(r.position)
	err := r.outlet.Send(r.ctx, batch, func(err error) { r.acked(news, done, err) })
	if err != nil {
		return err
	}
	if now := time.Now(); now.Sub(r.savedAt) >= saveEvery {
		r.savedAt = now
		if err := r.saveAcks(r.ctx); err != nil && r.ctx.Err() == nil {
			r.health.Failed("the saved position", err)
		}
	}
	return nil
}

func (r *reader) acked(news []record, done func(), err error) {
	r.mu.Lock()
	for _, one := range news {
		if err != nil {
			r.problems.Nacked(one.problem)
			continue
		}
		r.problems.Acked(one.problem)
	}
	r.flying--
	if err != nil {
		r.refused = true
		r.owed = append(r.owed, done)
	}
	r.mu.Unlock()
	if err == nil {
		done()
		r.events.Add(int64(len(news)))
	}
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// repeating are the detectors that find the same thing again at each scan; with the others a later detection is another deed.
var repeating = []string{"IAAS_CONFIGURATION_DETECTOR", "IAAS_INSTANCE_SECURITY_DETECTOR", "IAAS_CONTAINER_SECURITY_DETECTOR"}

// read finds what of a problem decides whether it has changed. A malformed one counts by its bytes.
func (r *reader) read(item oci.Item, s collect.Sweep) record {
	one := record{item: item, problem: collect.Problem{ID: item.ID, Last: item.Time}}
	var fields struct {
		CompartmentID   string `json:"compartmentId"`
		DetectorID      string `json:"detectorId"`
		LifecycleState  string `json:"lifecycleState"`
		LifecycleDetail string `json:"lifecycleDetail"`
		RiskLevel       string `json:"riskLevel"`
	}
	if item.Err == nil {
		if err := json.Unmarshal(item.Raw, &fields); err != nil {
			one.item.Err = fmt.Errorf("the record has a field of the wrong type: %w", err)
		}
	}
	if len(item.Raw) > r.conf.EventBytes && one.item.Err == nil {
		one.item.Err = fmt.Errorf("the record has %d bytes, more than max_event_bytes", len(item.Raw))
	}
	one.where = fields.CompartmentID
	if one.item.Err != nil {
		if one.problem.ID == "" {
			hash := collect.IDOf(item.Raw)
			one.problem.ID = "malformed/" + hex.EncodeToString(hash[:])
		}
		// It stays remembered for as long as it is listed.
		one.problem.Print, one.problem.Last = string(item.Raw), s.To
		return one
	}
	one.problem.Open = strings.EqualFold(fields.LifecycleState, "ACTIVE")
	parts := []string{fields.LifecycleState, fields.LifecycleDetail, fields.RiskLevel}
	if !slices.Contains(repeating, fields.DetectorID) {
		parts = append(parts, item.Time.Format(time.RFC3339Nano))
	}
	one.problem.Print = strings.ToUpper(strings.Join(parts, "|"))
	return one
}

// inFull reads a problem with its description and details, as far as the budget of the sweep goes.
// What cannot be read in full leaves as the list shows it.
func (r *reader) inFull(item oci.Item) oci.Item {
	if r.budget <= 0 {
		return item
	}
	r.budget--
	full, _, err := r.client.Problem(r.ctx, r.region, item.ID)
	if err != nil {
		if r.ctx.Err() == nil {
			r.health.Failed("problems in full", err)
		}
		return item
	}
	r.health.Worked("problems in full")
	return full
}

func (r *reader) message(one record, s collect.Sweep) *service.Message {
	m := service.NewMessage(one.item.Raw)
	m.MetaSetMut("oci_source", Name)
	m.MetaSetMut("oci_tenancy", r.client.Tenancy())
	m.MetaSetMut("oci_region", r.region)
	m.MetaSetMut("oci_compartment", one.where)
	m.MetaSetMut("oci_window_start", s.From.Format(time.RFC3339))
	m.MetaSetMut("oci_window_end", s.To.Format(time.RFC3339))
	m.MetaSetMut("oci_request_id", one.requestID)
	m.MetaSetMut("oci_change", string(one.verdict))
	if one.item.Err != nil {
		m.MetaSetMut("oci_error", one.item.Err.Error())
		m.SetError(errors.New("reading a problem: " + one.item.Err.Error()))
	}
	return m
}
