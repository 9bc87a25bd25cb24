package normalize

import (
	"sync"
	"unsafe"

	"github.com/valyala/fastjson"
)

// draft is a document while it is built, and the parser that its texts are parts of. It is used again and again, so a
// document costs no allocation until it is known in which form it is wanted: see asMap and appendJSON.
type draft struct {
	parser fastjson.Parser
	// objects are those that were ever needed; the first used ones are in use.
	objects []*object
	used    int
	nodes   []node
	sums    []uint64 // of keys, while an object is looked through
}

// object is a JSON object. Its members have different names, and none of them says nothing, but for those set by fixed.
type object struct {
	fields []field
	// index has the names of the first indexed fields, where there are many.
	index   map[string]struct{}
	indexed int
}

type field struct {
	name string
	// own says that the name is a part of the record and not one of ours.
	own bool
	node
}

// node is a JSON value.
type node struct {
	kind  nodeKind
	text  string
	whole int64
	// fixed is any other value that has no parts: a number of the record, a truth value, null, or a text of ours.
	fixed  any
	object *object
	list   []node
}

type nodeKind uint8

const (
	isFixed nodeKind = iota
	isText
	isWhole
	isObject
	isList
)

var drafts = sync.Pool{New: func() any { return new(draft) }}

// release gives a draft back, unless a huge record has blown it up.
func (d *draft) release(size int) {
	const most = 1 << 20
	if size > most {
		return
	}
	d.used = 0
	clear(d.nodes)
	d.nodes = d.nodes[:0]
	drafts.Put(d)
}

// object gives an empty object.
func (d *draft) object() *object {
	if d.used == len(d.objects) {
		d.objects = append(d.objects, new(object))
	}
	o := d.objects[d.used]
	d.used++
	o.fields, o.index, o.indexed = o.fields[:0], nil, 0
	return o
}

// nodesOf gives room for the elements of a list.
func (d *draft) nodesOf(n int) []node {
	begin := len(d.nodes)
	if cap(d.nodes)-begin < n {
		// The lists that stand in the old room keep it.
		d.nodes, begin = make([]node, 0, max(n, 2*cap(d.nodes), 64)), 0
	}
	d.nodes = d.nodes[:begin+n]
	return d.nodes[begin : begin+n : begin+n]
}

// texts gives a list of texts.
func (d *draft) texts(all ...string) []node {
	list := d.nodesOf(len(all))
	for i, s := range all {
		list[i] = node{kind: isText, text: s}
	}
	return list
}

// objectsOf gives a list of objects.
func (d *draft) objectsOf(all ...*object) []node {
	list := d.nodesOf(len(all))
	for i, o := range all {
		list[i] = node{kind: isObject, object: o}
	}
	return list
}

// just gives an object with one text in it; one without anything where that is empty.
func (d *draft) just(name, text string) *object {
	o := d.object()
	o.text(name, text)
	return o
}

func (o *object) text(name, text string) {
	if text != "" {
		o.fields = append(o.fields, field{name: name, node: node{kind: isText, text: text}})
	}
}

func (o *object) whole(name string, n int64) {
	o.fields = append(o.fields, field{name: name, node: node{kind: isWhole, whole: n}})
}

// fixed sets a constant, or what number gives.
func (o *object) fixed(name string, value any) {
	o.fields = append(o.fields, field{name: name, node: node{kind: isFixed, fixed: value}})
}

func (o *object) object(name string, sub *object) {
	if !sub.empty() {
		o.fields = append(o.fields, field{name: name, node: node{kind: isObject, object: sub}})
	}
}

func (o *object) list(name string, list []node) {
	if len(list) > 0 {
		o.fields = append(o.fields, field{name: name, node: node{kind: isList, list: list}})
	}
}

// time sets the time in s, in milliseconds.
func (o *object) time(name, s string) {
	if t, ok := parseTime(s); ok {
		o.whole(name, int64(t))
	}
}

func (o *object) empty() bool { return o == nil || len(o.fields) == 0 }

// has tells whether there is a member of that name.
func (o *object) has(name string) bool {
	const few = 32
	if len(o.fields) > few {
		if o.index == nil {
			o.index = map[string]struct{}{}
		}
		for ; o.indexed < len(o.fields); o.indexed++ {
			o.index[o.fields[o.indexed].name] = struct{}{}
		}
		_, found := o.index[name]
		return found
	}
	for i := range o.fields {
		if o.fields[i].name == name {
			return true
		}
	}
	return false
}

// textOf gives the text of a member, "" where there is none.
func (o *object) textOf(name string) string {
	for i := range o.fields {
		if o.fields[i].name == name {
			return o.fields[i].text
		}
	}
	return ""
}

// empty tells values that say nothing.
func (n *node) empty() bool {
	switch n.kind {
	case isText:
		return n.text == ""
	case isObject:
		return n.object.empty()
	case isList:
		return len(n.list) == 0
	case isWhole:
		return false
	case isFixed:
	}
	return n.fixed == nil
}

// pruned gives a value of the record without members that say nothing: null, "", and objects and arrays without anything in them.
func (d *draft) pruned(v *fastjson.Value) node { return d.part(v, true) }

// part gives a value of the record. Of a key that stands twice the first counts.
func (d *draft) part(v *fastjson.Value, prune bool) node {
	if v == nil {
		return node{}
	}
	switch v.Type() {
	case fastjson.TypeObject:
		return node{kind: isObject, object: d.members(v, prune, nil)}
	case fastjson.TypeArray:
		values := v.GetArray()
		list := d.nodesOf(len(values))
		for i, element := range values {
			list[i] = d.part(element, prune)
		}
		return node{kind: isList, list: list}
	case fastjson.TypeString:
		return node{kind: isText, text: view(v.GetStringBytes())}
	case fastjson.TypeNumber:
		if n, err := v.Int64(); err == nil {
			return node{kind: isWhole, whole: n}
		}
		return node{fixed: number(v.String())}
	case fastjson.TypeTrue:
		return node{fixed: true}
	case fastjson.TypeFalse:
		return node{fixed: false}
	default: // null
		return node{}
	}
}

// members copies an object, without the members that skip names.
func (d *draft) members(v *fastjson.Value, prune bool, skip func(name string, v *fastjson.Value) bool) *object {
	o := d.object()
	v.GetObject().Visit(func(key []byte, member *fastjson.Value) {
		name := view(key)
		if skip != nil && skip(name, member) || o.has(name) {
			return
		}
		n := d.part(member, prune)
		if prune && n.empty() {
			return
		}
		o.fields = append(o.fields, field{name: name, own: true, node: n})
	})
	return o
}

// view gives bytes as a text without copying them: those of a record stay as they are while its document is built.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// asMap gives the object as Bloblang and rules have it. Its texts are copied, all into one piece of memory,
// so that nothing of the record is held by it.
func (o *object) asMap() map[string]any {
	var size extentOfTexts
	size.addObject(o)
	c := copier{bytes: make([]byte, 0, size.bytes), texts: make([]string, 0, size.texts)}
	return c.object(o)
}

// extentOfTexts says how much room the texts of a document need.
type extentOfTexts struct{ bytes, texts int }

func (e *extentOfTexts) addObject(o *object) {
	for i := range o.fields {
		f := &o.fields[i]
		if f.own {
			e.bytes += len(f.name)
		}
		e.add(&f.node)
	}
}

func (e *extentOfTexts) add(n *node) {
	switch n.kind {
	case isText:
		e.bytes += len(n.text)
		e.texts++
	case isObject:
		e.addObject(n.object)
	case isList:
		for i := range n.list {
			e.add(&n.list[i])
		}
	case isWhole, isFixed:
	}
}

// copier makes maps. There is room for all texts from the beginning, so that what is in it never moves.
type copier struct {
	bytes []byte
	texts []string
}

func (c *copier) text(s string) string {
	begin := len(c.bytes)
	c.bytes = append(c.bytes, s...)
	return view(c.bytes[begin:])
}

// boxed gives a text as a value of a map. Go would allocate the two words of each string anew;
// here those of a document stand in one piece, and the value points to them.
func (c *copier) boxed(s string) any {
	c.texts = append(c.texts, c.text(s))
	var v any = ""
	// An interface that holds a string is the type and a pointer to the string.
	(*[2]unsafe.Pointer)(unsafe.Pointer(&v))[1] = unsafe.Pointer(&c.texts[len(c.texts)-1])
	return v
}

func (c *copier) object(o *object) map[string]any {
	m := make(map[string]any, len(o.fields))
	for i := range o.fields {
		f := &o.fields[i]
		name := f.name
		if f.own {
			name = c.text(name)
		}
		m[name] = c.value(&f.node)
	}
	return m
}

func (c *copier) value(n *node) any {
	switch n.kind {
	case isText:
		return c.boxed(n.text)
	case isObject:
		return c.object(n.object)
	case isList:
		all := make([]any, len(n.list))
		for i := range n.list {
			all[i] = c.value(&n.list[i])
		}
		return all
	case isWhole:
		return n.whole
	case isFixed:
	}
	return n.fixed
}
