package e2e

import (
	"crypto/sha256"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"

	"benthos-oci/plugins/bolt"
	"benthos-oci/plugins/ocisim"
)

// savedState is what a state file says was delivered, read as a stranger reads it.
type savedState struct {
	again map[string]time.Time // by region and compartment: what was processed before is not read again
	ids   map[[16]byte]bool    // of what was delivered and is read again
}

// readState reads the file of a process that is dead.
func readState(t *testing.T, path string) savedState {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy.db")
	copyFile(t, path, copied)
	copyFile(t, path+".journal", copied+".journal")
	// What is in the journal only is in the database once it was opened and closed.
	store, err := bolt.Open(bolt.Options{Path: copied, Bucket: "cache"})
	if err != nil {
		t.Fatalf("the state file cannot be opened after a kill: %v", err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(copied, 0o600, &bbolt.Options{Timeout: time.Second})
	if err != nil {
		t.Fatalf("the state file cannot be opened after a kill: %v", err)
	}
	defer db.Close()
	s := savedState{again: map[string]time.Time{}, ids: map[[16]byte]bool{}}
	err = db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, items *bbolt.Bucket) error {
			if !strings.HasPrefix(string(name), "values/") {
				return nil
			}
			return items.ForEach(func(key, stored []byte) error {
				const head = 12 // when the item expires, and its checksum
				if strings.HasPrefix(string(key), "oci_audit/") && len(stored) > head {
					s.note(string(key), stored[head:], func(segment string) []byte {
						if value := items.Get([]byte(string(key) + "/" + segment)); len(value) > head {
							return value[head:]
						}
						return nil
					})
				}
				return nil
			})
		})
	})
	if err != nil {
		t.Fatalf("reading the state file after a kill: %v", err)
	}
	return s
}

// note takes a position and the lists of ids that it names.
func (s savedState) note(key string, value []byte, segment func(string) []byte) {
	var position struct {
		Again    time.Time `json:"again"`
		Segments []struct {
			Name string `json:"name"`
		} `json:"segments"`
	}
	if json.Unmarshal(value, &position) != nil || position.Again.IsZero() {
		return
	}
	parts := strings.Split(key, "/")
	s.again[strings.Join(parts[len(parts)-2:], "/")] = position.Again
	for _, named := range position.Segments {
		const head, tail, size = 1, 4, 16
		list := segment(named.Name)
		if len(list) < head+tail {
			continue
		}
		for list = list[head : len(list)-tail]; len(list) >= size; list = list[size:] {
			s.ids[[size]byte(list)] = true
		}
	}
}

// unsaved counts those of the delivered events that the state does not know, so that they may leave again:
// what was in flight, or acked since the position was last saved.
func (s savedState) unsaved(truth map[string]ocisim.EventTruth, delivered []string) int {
	n := 0
	for _, id := range delivered {
		e := truth[id]
		sum := sha256.Sum256([]byte(id))
		if !s.ids[[16]byte(sum[:16])] && !e.Processed.Before(s.again[e.Region+"/"+e.Compartment]) {
			n++
		}
	}
	return n
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
