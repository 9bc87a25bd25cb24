// Package tests holds the tests of the whole: the layers, the documents, and the program as users meet it (scripts/*.txtar).
//
// The tests of one package stand beside it; what needs several packages, or the binary, stands here:
//
//	go test ./tests/...
package tests
