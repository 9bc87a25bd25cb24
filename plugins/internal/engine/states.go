package engine

import (
	"slices"
	"sync"
	"sync/atomic"

	"benthos-oci/plugins/internal/window"
)

// ruleState is what outlives a plan: a reload gives a new plan over the same state.
type ruleState struct {
	number uint32
	key    string
	// bytes is what the records take in memory; lost is the latest event time that left it without a store to hold it.
	bytes, lost atomic.Int64

	mu sync.Mutex // guards all below
	// tenancies and captures are named by their places in these lists.
	tenancies []string
	places    map[string]uint64
	captures  [][][]string
}

// names gives the numbers of a tenancy and of the captures of a plan.
func (s *ruleState) names(tenancy string, captures [][]string) (t, c uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.places[tenancy]
	if !ok {
		if s.places == nil {
			s.places = map[string]uint64{}
		}
		t = uint64(len(s.tenancies))
		s.places[tenancy] = t
		s.tenancies = append(s.tenancies, tenancy)
	}
	for i, known := range slices.Backward(s.captures) {
		if slices.EqualFunc(known, captures, slices.Equal) {
			return t, uint64(i)
		}
	}
	s.captures = append(s.captures, captures)
	return t, uint64(len(s.captures) - 1)
}

// named gives what has these numbers.
func (s *ruleState) named(tenancy, captures uint64) (string, [][]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tenancy >= uint64(len(s.tenancies)) || captures >= uint64(len(s.captures)) {
		return "", nil
	}
	return s.tenancies[tenancy], s.captures[captures]
}

// states numbers the states of rules, so that the ids of records are short. Numbers are never used again.
type states struct {
	mu    sync.RWMutex // guards all below
	byKey map[string]*ruleState
	list  []*ruleState
}

// of gives the state of a plan's key, which is made when it is first asked for.
func (s *states) of(key string) *ruleState {
	s.mu.Lock()
	defer s.mu.Unlock()
	if st := s.byKey[key]; st != nil {
		return st
	}
	st := &ruleState{number: uint32(len(s.list)), key: key}
	st.lost.Store(window.MinTime)
	if s.byKey == nil {
		s.byKey = map[string]*ruleState{}
	}
	s.byKey[key] = st
	s.list = append(s.list, st)
	return st
}

// key gives the plan's key of a number.
func (s *states) key(number uint32) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list[number].key
}

// all gives the states that there are.
func (s *states) all() []*ruleState {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list[:len(s.list):len(s.list)]
}

// tenants gives the tenancies by their numbers.
func (s *ruleState) tenants() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tenancies[:len(s.tenancies):len(s.tenancies)]
}
