package ocifields

import (
	"fmt"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/oci"
)

// Health knows which parts of an input cannot be read at present, and says so once a cause.
type Health struct {
	log *service.Logger

	mu     sync.Mutex
	causes map[string]map[string]bool // mu; parts by cause
	cause  map[string]string          // mu; cause by part
	errs   map[string]error           // mu; newest failure by part
}

// NewHealth begins in good health.
func NewHealth(log *service.Logger) *Health {
	return &Health{log: log, causes: map[string]map[string]bool{}, cause: map[string]string{}, errs: map[string]error{}}
}

// Failed says that a part could not be read. Only the first part with a cause is logged.
func (h *Health) Failed(part string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.errs[part] = err
	cause := causeOf(err)
	if h.cause[part] == cause {
		return
	}
	h.leave(part)
	h.cause[part] = cause
	if h.causes[cause] == nil {
		h.causes[cause] = map[string]bool{}
		h.log.Errorf("Reading %s: %v", part, err)
	}
	h.causes[cause][part] = true
}

// Worked says that a part was read.
func (h *Health) Worked(part string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ill := h.cause[part]; !ill {
		return
	}
	delete(h.errs, part)
	if h.leave(part) {
		h.log.Infof("Reading %s works again", part)
	}
}

// leave takes the part out of its cause and tells whether it was the last one there; mu is held.
func (h *Health) leave(part string) bool {
	cause, ill := h.cause[part]
	if !ill {
		return false
	}
	delete(h.cause, part)
	delete(h.causes[cause], part)
	if len(h.causes[cause]) > 0 {
		return false
	}
	delete(h.causes, cause)
	return true
}

// causeOf gives failures that an operator would call the same one name.
func causeOf(err error) string {
	if kind := oci.KindOf(err); kind != "" {
		return string(kind) + " " + oci.Where(err)
	}
	return fmt.Sprintf("%T", err)
}

// Of gives why a part cannot be read, nil where it can.
func (h *Health) Of(part string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.errs[part]
}
