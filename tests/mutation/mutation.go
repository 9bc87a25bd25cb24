// Package mutation breaks the engine on purpose and shows that its tests notice.
//
// Each mutation is one obvious mistake in engine or window: a window that is too long by a millisecond, an order that is not
// looked at, an event that counts twice. The files of the checkout are not touched: the compiler gets other text in their place.
// It stands beside the data's way, as a test of tests. The short form tries one mutation, the full one all:
//
//	MUTATIONS=all go test ./tests/mutation -v -timeout 30m
package mutation
