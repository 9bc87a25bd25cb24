package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"benthos-oci/plugins/ocisim/corpus"
)

// mapping is a file of events, one a line, mapped into memory: reading it costs the measured process nothing.
type mapping struct {
	data  []byte
	lines [][]byte
	unmap func()
}

// makeCorpus gives the path of a file with at least so many events, made now if there is none.
func makeCorpus(dir string, events int) (string, error) {
	path := filepath.Join(dir, fmt.Sprintf("corpus-%d-%d.jsonl", corpus.Version, events))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("making the directory of the corpus: %w", err)
	}
	f, err := os.CreateTemp(dir, "corpus-*.tmp")
	if err != nil {
		return "", fmt.Errorf("making the corpus: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }() // it has its own name by then
	if err := corpus.Write(f, events); err != nil {
		return "", err
	}
	if err := f.Close(); err != nil {
		return "", fmt.Errorf("writing the corpus: %w", err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return "", fmt.Errorf("naming the corpus: %w", err)
	}
	return path, nil
}

// openCorpus maps the first events of a file.
func openCorpus(path string, events int) (*mapping, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the corpus: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening the corpus: %w", err)
	}
	data, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the corpus: %w", err)
	}
	c := &mapping{data: data, lines: make([][]byte, 0, events), unmap: func() { _ = syscall.Munmap(data) }}
	for rest := data; len(rest) > 0 && len(c.lines) < events; {
		n := bytes.IndexByte(rest, '\n')
		if n < 0 {
			break
		}
		c.lines = append(c.lines, rest[:n:n])
		rest = rest[n+1:]
	}
	if len(c.lines) < events {
		return nil, fmt.Errorf("reading the corpus %s: it has %d events, want %d; remove it to have it made again", path, len(c.lines), events)
	}
	return c, nil
}
