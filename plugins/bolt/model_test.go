package bolt

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	bbolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

// model is what a store should hold: a map of what was written and when it expires, the time in milliseconds.
type model map[string]modelItem

type modelItem struct {
	value   string
	expires int64
}

func (m model) read(key string, now int64) string {
	it, ok := m[key]
	if !ok || it.expires != 0 && it.expires <= now {
		return "<none>"
	}
	return it.value
}

func (m model) write(bucket string, items []Item, now int64) model {
	m = maps.Clone(m)
	for _, it := range items {
		key := bucket + "/" + it.Key
		if it.Value == nil {
			delete(m, key)
			continue
		}
		expires := int64(0)
		if it.TTL != 0 {
			expires = now + it.TTL.Milliseconds()
		}
		m[key] = modelItem{string(it.Value), expires}
	}
	return m
}

// machine is a store in two buckets beside its model.
type machine struct {
	t      *testing.T
	rt     *rapid.T
	clock  *clock
	path   string
	stores map[string]*Store
	model  model
	// after is the model behind the write that goes on.
	after model
	// killed are the files at a moment in the last write, and in it what the model may be then.
	killed []killed
}

type killed struct {
	files
	models []model
}

var (
	buckets = []string{"one", "two"}
	keys    = []string{"a", "b", "c", "d", "e"}
)

// open opens the files that were taken.
func (m *machine) open() {
	m.stores = map[string]*Store{}
	for _, bucket := range buckets {
		s, err := Open(Options{Path: m.path, Bucket: bucket, Now: m.clock.now, NoSync: true, journal: 2 * smallestJournal})
		if err != nil {
			m.rt.Fatalf("opening: %v", err)
		}
		s.file.journal.sync = m.point
		m.stores[bucket] = s
	}
}

func (m *machine) close() {
	for _, s := range m.stores {
		if err := s.Close(); err != nil {
			m.rt.Fatalf("closing: %v", err)
		}
	}
}

// point is a moment at which the process may be killed: when it waits for the disk in a write.
func (m *machine) point(*os.File) error {
	if len(m.killed) < 4 {
		m.killed = append(m.killed, killed{taken(m.t, m.path), []model{m.model, m.after}})
	}
	return nil
}

// check compares all that the stores hold, and when it expires, with each of models, and gives the first that it is.
func (m *machine) check(what string, models ...model) model {
	m.rt.Helper()
	have := model{}
	now := m.clock.at.UnixMilli()
	for _, bucket := range buckets {
		for _, key := range keys {
			if it, ok := m.stored(m.stores[bucket], key); ok && (it.expires == 0 || it.expires > now) {
				have[bucket+"/"+key] = it
			}
			values, err := m.stores[bucket].Load([]string{key})
			if err != nil {
				m.rt.Fatalf("%s: loading: %v", what, err)
			}
			got := "<none>"
			if values[0] != nil {
				got = string(values[0])
			}
			if want := have.read(bucket+"/"+key, now); got != want {
				m.rt.Fatalf("%s: loading %s/%s: got %.20q, and it holds %.20q", what, bucket, key, got, want)
			}
		}
	}
	for _, want := range models {
		want = maps.Clone(want)
		maps.DeleteFunc(want, func(_ string, it modelItem) bool { return it.expires != 0 && it.expires <= now })
		if maps.Equal(have, want) {
			return want
		}
	}
	m.rt.Fatalf("%s: it holds %.200v, want %.200v", what, have, models[0])
	return nil
}

// stored gives an item as it stands in the journal or in the database.
func (m *machine) stored(s *Store, key string) (it modelItem, ok bool) {
	if it, ok := s.file.pending.get(s.bucket, key); ok {
		return modelItem{string(it.value), it.expires}, it.value != nil
	}
	err := s.file.view(func(tx *bbolt.Tx) error {
		stored := tx.Bucket(s.values).Get([]byte(key))
		if stored == nil {
			return nil
		}
		read, err := readItem([]byte(key), stored)
		it, ok = modelItem{string(read.value), read.expires}, true
		return err
	})
	if err != nil {
		m.rt.Fatal(err)
	}
	return it, ok
}

func (m *machine) items() []Item {
	var items []Item
	for range rapid.IntRange(0, 4).Draw(m.rt, "items") {
		it := Item{Key: rapid.SampledFrom(keys).Draw(m.rt, "key")}
		if rapid.IntRange(0, 4).Draw(m.rt, "delete") > 0 {
			size := rapid.SampledFrom([]int{0, 1, 100, 5000, 40_000, 150_000}).Draw(m.rt, "size")
			it.Value = bytes.Repeat([]byte{rapid.ByteRange('a', 'z').Draw(m.rt, "letter")}, size)
		}
		it.TTL = rapid.SampledFrom([]time.Duration{0, 0, 2 * time.Second, time.Minute}).Draw(m.rt, "ttl")
		items = append(items, it)
	}
	return items
}

// kill goes on with files as they were at a moment; lose says that their last write is cut off.
func (m *machine) kill(what string, at killed, lose bool) {
	before := at
	if lose {
		held, err := readJournal(at.journal, m.stores["one"].file.journal.tie())
		if err == nil && held.at < int64(len(at.journal)) {
			at.journal = bytes.Clone(at.journal)
			copy(at.journal[held.at:], bytes.Repeat([]byte("torn"), rapid.IntRange(0, 3000).Draw(m.rt, "torn")))
		}
	}
	m.close()
	m.path = before.put(m.t)
	if lose {
		m.path = at.put(m.t)
	}
	m.open()
	m.model = m.check(what, at.models...)
	m.after, m.killed = m.model, nil
}

// TestStoreIsLikeAMap does what a program may do with stores, in any order, and what may happen to it; they hold what a map would.
func TestStoreIsLikeAMap(t *testing.T) {
	kills, points, folds := 0, 0, 0
	rapid.Check(t, func(rt *rapid.T) {
		m := &machine{t: t, rt: rt, clock: newClock(), path: filepath.Join(t.TempDir(), "s.db"), model: model{}, after: model{}}
		m.open()
		defer func() {
			for _, s := range m.stores {
				_ = s.Close()
			}
		}()
		rt.Repeat(map[string]func(*rapid.T){
			"": func(*rapid.T) { m.check("now", m.model) },
			"save": func(*rapid.T) {
				bucket, items := rapid.SampledFrom(buckets).Draw(rt, "bucket"), m.items()
				m.after, m.killed = m.model.write(bucket, items, m.clock.at.UnixMilli()), nil
				if err := m.stores[bucket].Save(items); err != nil {
					rt.Fatal(err)
				}
				m.model = m.after
			},
			"add": func(*rapid.T) {
				bucket, items := rapid.SampledFrom(buckets).Draw(rt, "bucket"), m.items()
				if len(items) == 0 || items[0].Value == nil {
					return
				}
				now := m.clock.at.UnixMilli()
				want := m.model.read(bucket+"/"+items[0].Key, now) == "<none>"
				m.killed = nil
				if want {
					m.after = m.model.write(bucket, items[:1], now)
				}
				if got, err := m.stores[bucket].Add(items[0]); err != nil || got != want {
					rt.Fatalf("Add: got %v, %v, want %v", got, err, want)
				}
				m.model = m.after
			},
			"wait": func(*rapid.T) {
				m.clock.at = m.clock.at.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute}).Draw(rt, "time"))
				m.killed = nil // what had not expired then may have now
			},
			"reopen": func(*rapid.T) {
				m.close()
				folds++
				m.open()
			},
			"kill": func(*rapid.T) {
				kills++
				m.kill("after a kill", killed{taken(t, m.path), []model{m.model}}, rapid.Bool().Draw(rt, "torn"))
			},
			"kill in a write": func(*rapid.T) {
				if len(m.killed) > 0 {
					points++
					m.kill("after a kill in a write", rapid.SampledFrom(m.killed).Draw(rt, "point"), false)
				}
			},
			"damage": func(*rapid.T) {
				f, id := taken(t, m.path), m.stores["one"].file.journal.id
				spans := [][2]int64{{0, int64(journalHeader)}} // of the first block, and of each write but the last
				for at := int64(block); at < m.stores["one"].file.journal.at; {
					_, content, ok := recordAt(id, f.journal[at:])
					if !ok {
						rt.Fatal("a write is not in the journal")
					}
					spans = append(spans, [2]int64{at, at + recordHeader + int64(len(content))})
					at += blocks(recordHeader + len(content))
				}
				span := rapid.SampledFrom(spans[:max(1, len(spans)-1)]).Draw(rt, "span")
				f.journal[rapid.Int64Range(span[0], span[1]-1).Draw(rt, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
				if s, err := Open(Options{Path: f.put(t), Bucket: "one", Now: m.clock.now}); err == nil {
					_ = s.Close()
					rt.Fatal("a damaged journal was opened")
				}
			},
		})
	})
	if kills == 0 || points == 0 || folds == 0 {
		t.Errorf("%d kills, %d of them in a write, %d times closed: the test shows nothing", kills, points, folds)
	}
}

// FuzzJournal reads any bytes as a journal. What is read is written again and read: it is the same.
func FuzzJournal(f *testing.F) {
	t := tie{id: journalID{1, 2, 3}, folded: 7, size: 4 * block}
	w := write{bucket: "cache", items: []pendingItem{{key: "a", value: []byte("1"), expires: 5, slack: 2}, {key: "b"}, {key: "c", value: []byte{}}}}
	whole := func(base uint64, records ...[]byte) []byte {
		b := append([]byte{}, journalStart(t.id, base)...)
		for _, r := range records {
			b = append(b, r...)
		}
		return append(b, make([]byte, block)...)
	}
	f.Add(whole(7, w.record(t.id, 8), w.record(t.id, 9)), uint64(7))
	f.Add(whole(5, w.record(t.id, 6), w.record(t.id, 7), w.record(t.id, 8)), uint64(7))
	f.Add(whole(7, w.record(t.id, 8), w.record(journalID{}, 9), w.record(t.id, 10)), uint64(7))
	f.Add(whole(8), uint64(7))
	f.Add(whole(7, w.record(t.id, 8)[:block-recordHeader], bytes.Repeat([]byte{0xff}, recordHeader)), uint64(7))
	garbage := append([]byte{90, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{200}, block-recordHeader)...)
	garbage[recordHeader+1] = 100 // a text of 12,872 bytes
	f.Add(whole(7, garbage), uint64(7))
	f.Add(append(whole(7, w.record(t.id, 8), w.record(t.id, 9)), w.record(t.id, 10)[:block/2]...), uint64(7))
	f.Add(append(bytes.Join([][]byte{journalStart(t.id, 7), w.record(t.id, 8), w.record(t.id, 9), w.record(t.id, 10)}, nil), w.record(t.id, 11)[:block/2]...), uint64(7))
	f.Add([]byte{}, uint64(0))
	f.Fuzz(func(ft *testing.T, data []byte, folded uint64) {
		// A fuzzer does not find a checksum: it is put right, so that what is behind it is read.
		for at := block; at+recordHeader <= len(data); at += block {
			resum(t.id, data[at:])
		}
		t.folded = folded
		held, err := readJournal(data, t)
		if err != nil {
			return
		}
		if held.last < folded || held.at < block || held.at%block != 0 {
			ft.Fatalf("last %d, next at %d of %d bytes, with %d in the database", held.last, held.at, len(data), folded)
		}
		for _, w := range held.writes {
			_, content, ok := recordAt(t.id, w.record(t.id, 1))
			if !ok {
				ft.Fatal("a record that was written is none")
			}
			again, err := readWrite(content)
			if err != nil || fmt.Sprint(again) != fmt.Sprint(w) {
				ft.Fatalf("written and read again: got %v, %v, want %v", again, err, w)
			}
		}
	})
}

// resum gives a record the checksum of what it holds.
func resum(id journalID, b []byte) {
	n := uint64(binary.LittleEndian.Uint32(b)) % uint64(len(b))
	if n == 0 || n > uint64(len(b)-recordHeader) {
		return
	}
	binary.LittleEndian.PutUint32(b, uint32(n))
	binary.LittleEndian.PutUint32(b[4:], recordSum(id, b[:recordHeader+n]))
}
