// Package collect decides what to read next from an API whose records appear late, and what of it was delivered.
//
// It is a state machine without network, clock or storage: an input tells it the time, the records that it read and the acks that came,
// and it answers with the next window to read, with which records are new, and with what must be saved.
// It stands between package oci, which reads, and the inputs, which do as they are told:
//
//	pass, ok := cursor.Next(now)            // what to read
//	batch := cursor.Admit(pass, ids)        // which of a page's records are new
//	cursor.Read(pass, pages)                // the pass was read to its end
//	cursor.Ack(batch)                       // the output has them
//	save, ok := cursor.Save()               // what to write, in this order
//	cursor.Saved(save)                      // it is written
package collect

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"
)

// ID stands for the id of a record: the first half of its SHA-256, so that the ids of a day fit into memory.
type ID [16]byte

// IDOf gives the ID of a record's own id, or of its bytes where it has none.
func IDOf(id []byte) ID {
	sum := sha256.Sum256(id)
	return ID(sum[:16])
}

// Floor cuts t to the minute, the precision of the APIs' time filters.
func Floor(t time.Time) time.Time { return t.UTC().Truncate(time.Minute) }

// Change is one write to the store: a nil Value deletes the key.
type Change struct {
	Key   string
	Value []byte
}

// Ledger is what an input remembers about its tenancy as a whole. It is saved before the first request.
type Ledger struct {
	Version int `json:"v"`
	// Start is where the first run began, made absolute.
	Start time.Time `json:"start"`
	// Refreshed is when the compartments were last listed, by Oracle's clock; zero before the first time.
	Refreshed time.Time `json:"refreshed,omitzero"`
	// Known are the partitions that have a saved position, by a hash of their names, in order.
	Known []string `json:"known,omitempty"`
}

// ledgerVersion is the version of Ledger that this program writes.
const ledgerVersion = 1

// NewLedger begins a first run.
func NewLedger(start time.Time) Ledger { return Ledger{Version: ledgerVersion, Start: Floor(start)} }

// Found gives where a partition begins that has no saved position.
// On the first listing that is the start; later the partition is younger than the last listing that did not show it.
func (l Ledger) Found(overlap time.Duration) time.Time {
	if l.Refreshed.IsZero() {
		return l.Start
	}
	return later(l.Start, Floor(l.Refreshed.Add(-overlap)))
}

// Knows is true where a partition has had a saved position. One that is not there any more was lost, and is not new.
func (l Ledger) Knows(name string) bool {
	_, found := slices.BinarySearch(l.Known, known8(name))
	return found
}

// Learn notes that the partitions have a saved position.
func (l *Ledger) Learn(names ...string) {
	for _, name := range names {
		l.Known = append(l.Known, known8(name))
	}
	slices.Sort(l.Known)
	l.Known = slices.Compact(l.Known)
}

// known8 is a name in eight bytes, so that a ledger of thousands stays small.
func known8(name string) string {
	id := IDOf([]byte(name))
	return hex.EncodeToString(id[:8])
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
