package ocireader

import (
	"errors"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
)

// maxBatch is how many records leave in one batch, however many stand in a page.
const maxBatch = 1000

// read reads a pass to its end and hands its new records on. When it fails, the same pass is read again later,
// and what has left does not leave again.
func (r *reader) read(p *partition, pass *collect.Pass) error {
	pages := 0
	for i := 0; i < len(pass.Spans); i++ {
		n, err := r.readSpan(p, pass, pass.Spans[i])
		pages += n
		if oci.KindOf(err) == oci.TooLarge && pass.Split(i) {
			i--
			continue
		}
		if err != nil {
			p.mu.Lock()
			p.cursor.Fail(pass)
			p.mu.Unlock()
			return err
		}
	}
	p.mu.Lock()
	p.cursor.Read(pass, pages)
	low := p.cursor.Low()
	p.mu.Unlock()
	// What lies before has left, so event time may come here once it is acked.
	p.mark.CaughtUp(eventTime(low))
	poke(r.save)
	return nil
}

// readSpan follows the page tokens of a span; a page without records may have one, too.
func (r *reader) readSpan(p *partition, pass *collect.Pass, span collect.Span) (pages int, err error) {
	token := ""
	tokens := map[string]bool{}
	for {
		page, err := r.conf.Source.Page(r.ctx, r.client, p.Place, span, token)
		if err != nil {
			return pages, err
		}
		pages++
		// Said before the records are handed on: Benthos takes them only from an input that is connected.
		r.trouble.Store(nil)
		from := origin{p: p, pass: pass, span: span, page: page, start: span.Start.Format(time.RFC3339), end: span.End.Format(time.RFC3339)}
		for items := page.Items; len(items) > 0; {
			n := min(len(items), maxBatch)
			if err := r.deliver(from, items[:n]); err != nil {
				return pages, err
			}
			items = items[n:]
		}
		if page.Next == "" {
			return pages, nil
		}
		if tokens[page.Next] {
			return pages, errRepeated(p, page.RequestID)
		}
		tokens[page.Next] = true
		token = page.Next
	}
}

// origin says where records were read.
type origin struct {
	p    *partition
	pass *collect.Pass
	span collect.Span
	page oci.Page
	// start and end are those of the span, as metadata has them.
	start, end string
}

// deliver hands the new records among items on, as they came.
func (r *reader) deliver(from origin, items []oci.Item) error {
	p := from.p
	ids := make([]collect.ID, len(items))
	for i, item := range items {
		name := []byte(item.ID)
		if len(name) == 0 {
			name = item.Raw
		}
		ids[i] = collect.IDOf(name)
	}
	p.mu.Lock()
	batch, fresh := p.cursor.Admit(from.pass, ids)
	low := p.cursor.Low()
	p.mu.Unlock()
	messages := make(service.MessageBatch, 0, len(items))
	malformed := 0
	for i, item := range items {
		if !fresh[i] {
			continue
		}
		if err := r.fault(item); err != nil {
			malformed++
			item.Err = err
		}
		messages = append(messages, r.message(from, item))
		if from.span.Again && item.Err == nil {
			r.late.found(r.log, p.Region, from.span.End.Sub(laterOf(item.Time, from.span.Start)))
		}
	}
	r.repeated.Incr(int64(len(items)-len(messages)), p.Region)
	if len(messages) == 0 {
		return nil
	}
	r.metrics.Events.Incr(int64(len(messages)), p.Region)
	if malformed > 0 {
		r.metrics.Malformed.Incr(int64(malformed), p.Region)
	}
	// Within a pass the order means nothing, and passes are read beside each other:
	// until they are read to their ends, only the beginning of the first is certain.
	done := p.mark.Read(eventTime(low))
	return r.outlet.Send(r.ctx, messages, func(err error) {
		p.mu.Lock()
		if err != nil {
			p.cursor.Nack(batch)
			p.owed = append(p.owed, done)
			p.mu.Unlock()
			poke(r.wake)
			return
		}
		p.cursor.Ack(batch)
		r.events.Add(int64(len(messages)))
		p.mu.Unlock()
		done()
		poke(r.save)
	})
}

// fault says what is wrong with a record, nil where nothing is.
func (r *reader) fault(item oci.Item) error {
	if item.Err != nil {
		return item.Err
	}
	if len(item.Raw) > r.conf.EventBytes {
		return fmt.Errorf("the record has %d bytes, more than max_event_bytes", len(item.Raw))
	}
	return nil
}

func (r *reader) message(from origin, item oci.Item) *service.Message {
	m := r.conf.Source.Message(from.p.Place, item)
	m.MetaSetMut("oci_source", r.conf.Component)
	m.MetaSetMut("oci_tenancy", r.client.Tenancy())
	m.MetaSetMut("oci_region", from.p.Region)
	m.MetaSetMut("oci_window_start", from.start)
	m.MetaSetMut("oci_window_end", from.end)
	m.MetaSetMut("oci_request_id", from.page.RequestID)
	if item.Err != nil {
		m.MetaSetMut("oci_error", item.Err.Error())
		m.SetError(errors.New("reading a record of Oracle's: " + item.Err.Error()))
	}
	return m
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
