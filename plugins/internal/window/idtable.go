package window

import "hash/maphash"

// seed is that of the tables of this process: nothing that leaves it depends on it.
var seed = maphash.MakeSeed()

// HashID gives what the table of a series finds an event by. Who counts one event for many keys computes it once.
func HashID(id string) uint32 {
	// 0 stands for a hash that is not known.
	return uint32(maphash.String(seed, id)) | 1<<31
}

// idTable finds entries by their ids. Its length is a power of two, at least a third of it empty.
type idTable struct {
	slots []*Entry
	count int
}

func (t *idTable) find(hash uint32, id string) *Entry {
	mask := len(t.slots) - 1
	for i := int(hash) & mask; t.slots[i] != nil; i = (i + 1) & mask {
		if e := t.slots[i]; e.Hash == hash && e.ID == id {
			return e
		}
	}
	return nil
}

func (t *idTable) add(e *Entry) {
	if 3*(t.count+1) > 2*len(t.slots) {
		old := t.slots
		t.slots = make([]*Entry, max(2*len(old), 4*indexFrom))
		for _, each := range old {
			if each != nil {
				t.link(each)
			}
		}
	}
	t.link(e)
	t.count++
}

func (t *idTable) link(e *Entry) {
	mask := len(t.slots) - 1
	i := int(e.Hash) & mask
	for t.slots[i] != nil {
		i = (i + 1) & mask
	}
	t.slots[i] = e
}

// remove takes e out, which is in the table, and moves those behind it up that would not be found else.
func (t *idTable) remove(e *Entry) {
	mask := len(t.slots) - 1
	i := int(e.Hash) & mask
	for t.slots[i] != e {
		i = (i + 1) & mask
	}
	for next := (i + 1) & mask; t.slots[next] != nil; next = (next + 1) & mask {
		if home := int(t.slots[next].Hash) & mask; (next-home)&mask >= (next-i)&mask {
			t.slots[i] = t.slots[next]
			i = next
		}
	}
	t.slots[i] = nil
	t.count--
}
