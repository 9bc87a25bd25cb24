//go:build !linux

package bolt

import "os"

// syncContents waits until what was written to f is on the disk.
func syncContents(f *os.File) error { return f.Sync() }
