package ocifields

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/collect"
	"benthos-oci/plugins/internal/oci"
)

func batch(text string) service.MessageBatch {
	return service.MessageBatch{service.NewMessage([]byte(text))}
}

func TestOutletHoldsNoMoreThanItsLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutlet(2)
		sent := 0
		go func() {
			for range 5 {
				if err := o.Send(t.Context(), batch("x"), func(error) {}); err != nil {
					return
				}
				sent++
			}
		}()
		var acks []service.AckFunc
		for range 2 {
			_, ack, err := o.Read(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			acks = append(acks, ack)
		}
		synctest.Wait()
		if sent != 2 || o.InFlight() != 2 {
			t.Errorf("got %d batches sent, %d on their way; want 2 and 2", sent, o.InFlight())
		}
		if err := acks[0](t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if _, _, err := o.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if sent != 3 {
			t.Errorf("got %d batches sent after an ack, want 3", sent)
		}
	})
}

func TestAckIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := NewOutlet(1)
		var got []error
		go func() { _ = o.Send(t.Context(), batch("x"), func(err error) { got = append(got, err) }) }()
		_, ack, err := o.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused := errors.New("no")
		for _, err := range []error{refused, nil} {
			if err := ack(t.Context(), err); err != nil {
				t.Fatal(err)
			}
		}
		if len(got) != 1 || got[0] != refused || o.InFlight() != 0 { //nolint:errorlint // the very error is meant
			t.Errorf("got acks %v, %d on their way; want the first only, and 0", got, o.InFlight())
		}
	})
}

func TestSendAndReadEndWithTheirContext(t *testing.T) {
	o := NewOutlet(1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := o.Send(ctx, batch("x"), func(error) { t.Error("acked") }); !errors.Is(err, context.Canceled) {
		t.Errorf("Send: got %v, want the context's error", err)
	}
	if _, _, err := o.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Read: got %v, want the context's error", err)
	}
}

func TestEndAndDisconnectAreHeard(t *testing.T) {
	o := NewOutlet(1)
	o.Disconnect()
	o.Disconnect()
	if _, _, err := o.Read(t.Context()); !errors.Is(err, service.ErrNotConnected) {
		t.Errorf("got %v, want ErrNotConnected", err)
	}
	o.End()
	o.End()
	for range 2 {
		if _, _, err := o.Read(t.Context()); !errors.Is(err, service.ErrEndOfInput) {
			t.Errorf("got %v, want ErrEndOfInput", err)
		}
	}
}

func TestErrorsOfMessagesBecomeErrorsOfTheBatch(t *testing.T) {
	b := service.MessageBatch{service.NewMessage(nil), service.NewMessage(nil)}
	var wide *service.BatchError
	err := batchWide(service.NewBatchError(b, errors.New("one failed")).Failed(1, errors.New("no")))
	if err == nil || errors.As(err, &wide) || !strings.Contains(err.Error(), "one failed") {
		t.Errorf("got %v, want a plain error with the same text", err)
	}
	if batchWide(nil) != nil {
		t.Error("an ack became an error")
	}
}

func TestHealthSaysEachCauseOnce(t *testing.T) {
	var buf bytes.Buffer
	h := NewHealth(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&buf, nil))))
	denied := &oci.Error{Kind: oci.NoPermission, Operation: "ListEvents", Region: "r", Sentence: "denied"}
	outage := &oci.Error{Kind: oci.Outage, Operation: "ListEvents", Region: "r", Sentence: "outage"}
	h.Failed("a", denied)
	h.Failed("b", denied)
	h.Failed("a", denied)
	h.Failed("a", outage)
	h.Worked("b")
	h.Worked("b")
	h.Worked("c")
	h.Failed("b", denied)
	h.Worked("a")
	var got []string
	for line := range strings.Lines(buf.String()) {
		_, text, _ := strings.Cut(line, "msg=")
		got = append(got, strings.TrimSpace(strings.ReplaceAll(text, `"`, "")))
	}
	want := []string{
		"Reading a: denied", "Reading a: outage", "Reading b works again", "Reading b: denied", "Reading a works again",
	}
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if h.Of("a") != nil || h.Of("b") == nil {
		t.Errorf("got %v for a, %v for b; want none and an error", h.Of("a"), h.Of("b"))
	}
}

func TestStoreTellsAbsentFromBroken(t *testing.T) {
	res := service.MockResources(service.MockResourcesOptAddCache("state"))
	if _, err := NewStore(res, "other"); err == nil || !strings.Contains(err.Error(), `no cache resource labeled "other"`) {
		t.Errorf("got %v, want the label named", err)
	}
	for _, label := range []string{"", "state"} {
		s, err := NewStore(res, label)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Save(t.Context(), []collect.Change{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}, {Key: "a"}, {Key: "never"}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Load(t.Context(), []string{"a", "b"})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(got, [][]byte{nil, []byte("2")}); diff != "" {
			t.Errorf("%q: got -, want +:\n%s", label, diff)
		}
	}
}
