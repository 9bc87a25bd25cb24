package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"slices"
)

// Where things stand in a bbolt file: a page begins with its id, flags, count and overflow, and the first two pages hold
// the metas, of which the valid one with the newest transaction counts.
const (
	pageHeader  = 16
	metaBytes   = 64
	metaMagic   = 0xED0CDAED
	branchFlag  = 0x01
	leafFlag    = 0x02
	freeFlag    = 0x10
	noFreelist  = ^uint64(0)
	manyFree    = 0xFFFF // as a count: the first id is the count
	element     = 16     // bytes of an element of a branch or a leaf, its key and value apart
	bucketEntry = 0x01   // the flag of a leaf's element that is a bucket
	bucketBytes = 16     // root page and sequence, before what a small bucket holds in place
	deepest     = 64     // levels of a tree
)

// checkPages refuses a file whose pages do not make the trees that bbolt takes for granted. bbolt takes each length and number
// as it stands there: a flipped bit in one makes it ask for all memory there is, or use a page twice, and fail in a goroutine of its own.
// Of a large file only the list of free pages is read: bbolt reads no more of it before it is used.
// Nobody may write to the file meanwhile, but where a transaction holds the pages that were in use when it began.
func checkPages(path string, whole bool) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	m, ok := newestMeta(f)
	if !ok {
		return nil // bbolt says what is wrong with the metas
	}
	info, err := f.Stat() // behind the meta: the file may grow
	if err != nil {
		return err
	}
	if m.pageSize < pageHeader+metaBytes || m.pages > uint64(info.Size())/m.pageSize {
		return fmt.Errorf("%w: it is cut short", ErrDamaged)
	}
	w := walk{file: f, meta: m, used: make([]bool, m.pages)}
	w.used[0], w.used[1] = true, true
	if !whole {
		if err := w.free(); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		return nil
	}
	if err := errors.Join(w.tree(m.root, 0), w.free()); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if lost := slices.Index(w.used, false); lost >= 0 {
		return fmt.Errorf("%w: page %d is neither used nor free", ErrDamaged, lost)
	}
	return nil
}

type meta struct{ pageSize, root, freelist, pages, tx uint64 }

// newestMeta gives the meta that counts; false where none is valid.
func newestMeta(f *os.File) (newest meta, ok bool) {
	read := func(at int64) (size uint64) {
		page := make([]byte, pageHeader+metaBytes)
		if _, err := f.ReadAt(page, at); err != nil {
			return 0
		}
		b := page[pageHeader:]
		sum := fnv.New64a()
		sum.Write(b[:56])
		if binary.NativeEndian.Uint32(b) != metaMagic || sum.Sum64() != binary.NativeEndian.Uint64(b[56:]) {
			return 0
		}
		m := meta{
			pageSize: uint64(binary.NativeEndian.Uint32(b[8:])), root: binary.NativeEndian.Uint64(b[16:]),
			freelist: binary.NativeEndian.Uint64(b[32:]), pages: binary.NativeEndian.Uint64(b[40:]), tx: binary.NativeEndian.Uint64(b[48:]),
		}
		if !ok || m.tx > newest.tx {
			newest, ok = m, true
		}
		return m.pageSize
	}
	size := read(0)
	if size == 0 {
		size = uint64(os.Getpagesize())
	}
	read(int64(size))
	return newest, ok
}

// walk goes through the pages of a file and notes what each is used for.
type walk struct {
	file *os.File
	meta meta
	used []bool
}

// page reads a page with those behind it that belong to it, and takes them.
func (w *walk) page(id uint64) ([]byte, error) {
	if id < 2 || id >= w.meta.pages {
		return nil, fmt.Errorf("there is no page %d", id)
	}
	head := make([]byte, pageHeader)
	if _, err := w.file.ReadAt(head, int64(id*w.meta.pageSize)); err != nil {
		return nil, fmt.Errorf("reading page %d: %w", id, err)
	}
	more := uint64(binary.NativeEndian.Uint32(head[12:]))
	if binary.NativeEndian.Uint64(head) != id || more >= w.meta.pages-id {
		return nil, fmt.Errorf("page %d is not what it says", id)
	}
	for i := id; i <= id+more; i++ {
		if w.used[i] {
			return nil, fmt.Errorf("page %d is used twice", i)
		}
		w.used[i] = true
	}
	page := make([]byte, (more+1)*w.meta.pageSize)
	if _, err := w.file.ReadAt(page, int64(id*w.meta.pageSize)); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("reading page %d: %w", id, err)
	}
	return page, nil
}

// tree goes through the tree below a page.
func (w *walk) tree(id uint64, depth int) error {
	page, err := w.page(id)
	if err != nil {
		return err
	}
	return w.below(page, id, depth)
}

// below goes through what a page holds; one without elements is a bucket's only one.
func (w *walk) below(page []byte, id uint64, depth int) error {
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if depth > deepest || flags != branchFlag && flags != leafFlag || pageHeader+count*element > len(page) {
		return fmt.Errorf("page %d is no part of a tree", id)
	}
	for i := range count {
		at := pageHeader + i*element
		e := page[at : at+element]
		if flags == branchFlag {
			if !within(page, at, binary.NativeEndian.Uint32(e), binary.NativeEndian.Uint32(e[4:]), 0) {
				return fmt.Errorf("page %d has a key outside of it", id)
			}
			if err := w.tree(binary.NativeEndian.Uint64(e[8:]), depth+1); err != nil {
				return err
			}
			continue
		}
		pos, key, value := binary.NativeEndian.Uint32(e[4:]), binary.NativeEndian.Uint32(e[8:]), binary.NativeEndian.Uint32(e[12:])
		if !within(page, at, pos, key, value) {
			return fmt.Errorf("page %d has an item outside of it", id)
		}
		if binary.NativeEndian.Uint32(e)&bucketEntry == 0 {
			continue
		}
		from := at + int(pos) + int(key)
		if err := w.bucket(page[from:from+int(value)], id, depth); err != nil {
			return err
		}
	}
	return nil
}

// bucket goes through a bucket, which has a tree of its own or, while it is small, a page in place.
func (w *walk) bucket(value []byte, id uint64, depth int) error {
	if len(value) < bucketBytes {
		return fmt.Errorf("page %d has a bucket without a root", id)
	}
	root := binary.NativeEndian.Uint64(value)
	if root != 0 {
		return w.tree(root, depth+1)
	}
	if len(value) < bucketBytes+pageHeader {
		return fmt.Errorf("page %d has a bucket without a page", id)
	}
	return w.below(value[bucketBytes:], id, depth+1)
}

// within is true where an element that stands at at has its key and value inside of its page.
func within(page []byte, at int, pos, key, value uint32) bool {
	return uint64(at)+uint64(pos)+uint64(key)+uint64(value) <= uint64(len(page))
}

// free goes through the list of free pages, where the file has one.
func (w *walk) free() error {
	if w.meta.freelist == noFreelist {
		return nil
	}
	page, err := w.page(w.meta.freelist)
	if err != nil {
		return err
	}
	count, ids := uint64(binary.NativeEndian.Uint16(page[10:])), page[pageHeader:]
	if count == manyFree {
		count, ids = binary.NativeEndian.Uint64(ids), ids[8:]
	}
	if binary.NativeEndian.Uint16(page[8:]) != freeFlag || count > uint64(len(ids)/8) {
		return errors.New("the list of free pages is none")
	}
	for i := range count {
		id := binary.NativeEndian.Uint64(ids[8*i:])
		if id >= w.meta.pages || w.used[id] {
			return fmt.Errorf("page %d is free and used", id)
		}
		w.used[id] = true
	}
	return nil
}
