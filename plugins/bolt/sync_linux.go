package bolt

import (
	"os"
	"syscall"
)

// syncContents waits until what was written to f is on the disk. Of what the system knows about f only what is needed to read it
// is written: nothing, where f did not grow.
func syncContents(f *os.File) error {
	for {
		if err := syscall.Fdatasync(int(f.Fd())); err != syscall.EINTR {
			return os.NewSyscallError("fdatasync", err)
		}
	}
}
