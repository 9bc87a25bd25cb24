package engine

import (
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
