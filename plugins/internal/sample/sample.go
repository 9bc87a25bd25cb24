// Package sample makes records as Oracle's APIs return them: audit events by operation, Cloud Guard problems,
// and the envelopes in which other services carry them.
//
// It stands before the data's way: the simulator serves its records, rule tests and the tests of normalize are fed by it.
// The same options give the same record, byte for byte:
//
//	raw := sample.JSON("UploadApiKey", sample.Options{
//		Actor: sample.Principal{Name: "alice@example.com", ID: "ocid1.user.oc1..alice"},
//		Target: sample.Principal{Name: "bob@example.com", ID: "ocid1.user.oc1..bob"},
//	})
//
// All names, addresses and identifiers are invented.
package sample

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Principal names somebody or something by its friendly name and its OCID.
type Principal struct {
	Name string
	ID   string
}

// Options choose what a record says. The zero value of each field means a fixed default.
type Options struct {
	// ID is the event's id; by default a UUID made of the other options.
	ID string
	// Time is when it happened; by default noon on 2026-11-20.
	Time time.Time
	// Tenancy is the tenancy's name and OCID.
	Tenancy Principal
	// Compartment is the compartment of the resource; by default the operation's usual one.
	Compartment Principal
	// Region is where it happened, as `eu-frankfurt-1`.
	Region string
	// Actor is who called. An OCID of another kind than user gives the matching authentication type.
	Actor Principal
	// Target is what the operation acts on: the user whose key is uploaded, the instance that is terminated.
	// For a sign-in it is not used: who signs in is the Actor.
	Target Principal
	// Group is the group of a membership change.
	Group Principal
	// IP is the caller's address.
	IP string
	// UserAgent is the caller's program.
	UserAgent string
	// Console says that the call came from the web console.
	Console bool
	// Status is the HTTP status of the response; "" is the operation's own success.
	// From 400 on the record is that of a failed call.
	Status string
	// Set assigns values to paths (`data.identity.principalId`) after everything else, in the order of the paths.
	Set map[string]any
}

// Operations gives the names that Event knows, sorted.
// A name with .begin or .end is known where its operation takes time: `TerminateInstance.begin`.
func Operations() []string {
	return slices.Sorted(maps.Keys(byName))
}

// Known reports whether Event knows the operation.
func Known(op string) bool {
	_, _, ok := find(op)
	return ok
}

// Event gives an audit event of the operation as the Audit API returns it, decoded.
// An operation that is not known gives an event of that name without a resource.
func Event(op string, o Options) map[string]any { return audit(op, o).values() }

// JSON gives the same event as bytes, its members in the API's order.
func JSON(op string, o Options) []byte { return AppendJSON(nil, op, o) }

// AppendJSON is JSON behind what b holds.
func AppendJSON(b []byte, op string, o Options) []byte { return audit(op, o).append(b) }

var byName = index()

func index() map[string]*operation {
	all := map[string]*operation{}
	for _, table := range [][]operation{identityOperations, signOnOperations, domainOperations, serviceOperations()} {
		for i := range table {
			op := &table[i]
			// Where two services share a name, the first has it; the second is asked for as Service.Name.
			name := op.name
			if _, taken := all[name]; taken {
				name = op.service + "." + op.name
			}
			all[name] = op
		}
	}
	return all
}

// find gives the operation and the .begin or .end that its event type carries.
func find(name string) (op *operation, suffix string, ok bool) {
	if op, ok := byName[name]; ok {
		return op, "", true
	}
	for _, suffix := range []string{".begin", ".end"} {
		base, cut := strings.CutSuffix(name, suffix)
		if !cut {
			continue
		}
		if op, ok := byName[base]; ok {
			return op, suffix, true
		}
	}
	return nil, "", false
}
