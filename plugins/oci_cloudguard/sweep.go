package ocicloudguard

import (
	"cmp"
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
	detector  string
	risk      string
	detail    detail
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
	var dropped []string
	for _, id := range missing {
		item, requestID, err := r.client.Problem(r.ctx, r.region, id)
		if failure, ok := errors.AsType[*oci.Error](err); ok && failure.Status == http.StatusNotFound {
			// The lists can be read, so this is no missing permission: Cloud Guard has dropped the problem.
			dropped = append(dropped, id)
			continue
		}
		if err != nil {
			return err
		}
		if err := r.deliver(s, []oci.Item{item}, requestID); err != nil {
			return err
		}
	}
	if len(dropped) == 0 {
		return nil
	}
	r.mu.Lock()
	for _, id := range dropped {
		r.problems.Forget(id)
	}
	r.mu.Unlock()
	r.dropped.Incr(int64(len(dropped)))
	r.log.Warnf("%s, open until now, not known to Cloud Guard any more or not shown to this user: there is nothing more to send; the first is %s",
		oci.Counted(len(dropped), "problem"), dropped[0])
	return nil
}

// deliver hands on the problems that are new or have changed.
func (r *reader) deliver(s collect.Sweep, items []oci.Item, requestID string) error {
	news := r.judge(s, items, requestID)
	r.repeated.Incr(int64(len(items)-len(news)), r.region)
	if !r.conf.detail {
		return r.send(s, news)
	}
	// In full they are large and take their time, so a few are sent at once.
	for few := range slices.Chunk(byRisk(news), detailBatch) {
		if err := r.send(s, r.inFull(s, few)); err != nil {
			return err
		}
	}
	return nil
}

// send hands on a batch of problems.
func (r *reader) send(s collect.Sweep, news []record) error {
	if len(news) == 0 {
		return nil
	}
	batch := make(service.MessageBatch, len(news))
	for i, one := range news {
		if one.item.Err != nil {
			r.metrics.Malformed.Incr(1, r.region)
		}
		batch[i] = r.message(one, s)
	}
	r.metrics.Events.Incr(int64(len(batch)), r.region)
	r.mu.Lock()
	r.flying++
	r.mu.Unlock()
	// Said before the problems are handed on: Benthos takes them only from an input that is connected.
	r.trouble.Store(nil)
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

// judge picks the problems that are new or have changed; they count as on their way.
func (r *reader) judge(s collect.Sweep, items []oci.Item, requestID string) []record {
	var news []record
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, item := range items {
		one := r.read(item, s)
		one.requestID = requestID
		if one.verdict = r.problems.Judge(one.problem); one.verdict != collect.Unchanged {
			r.problems.Sent(one.problem)
			news = append(news, one)
		}
	}
	return news
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
	one.where, one.detector, one.risk = fields.CompartmentID, fields.DetectorID, fields.RiskLevel
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
	if !one.problem.Open {
		one.problem.Ending = endingOf(fields.LifecycleDetail)
	}
	parts := []string{fields.LifecycleState, fields.LifecycleDetail, fields.RiskLevel}
	// What was resolved and is detected again was reopened, even if it has been resolved again since.
	// What somebody dismissed is detected again and again, and means nothing.
	if one.problem.Ending == collect.Resolved || one.problem.Open && !slices.Contains(repeating, fields.DetectorID) {
		parts = append(parts, item.Time.Format(time.RFC3339Nano))
	}
	one.problem.Print = strings.ToUpper(strings.Join(parts, "|"))
	return one
}

// endingOf says how a problem ended that is not open.
func endingOf(detail string) collect.Verdict {
	for _, ending := range []collect.Verdict{collect.Resolved, collect.Dismissed, collect.Deleted} {
		if strings.EqualFold(detail, string(ending)) {
			return ending
		}
	}
	return collect.Closed
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
	if r.conf.detail {
		m.MetaSetMut("oci_detail", cmp.Or(one.detail.level, detailNone))
		if one.detail.err != nil {
			m.MetaSetMut("oci_detail_error", one.detail.err.Error())
		}
	}
	if one.item.Err != nil {
		m.MetaSetMut("oci_error", one.item.Err.Error())
		m.SetError(errors.New("reading a problem: " + one.item.Err.Error()))
	}
	return m
}
