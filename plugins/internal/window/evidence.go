package window

import "sync/atomic"

// Evidence is what an analyst needs of an event. The entries of one event share it in all keys,
// so that it is encoded once, and only if it is saved or shown. It is safe for concurrent use.
type Evidence struct {
	typeUID int64
	product string
	doc     atomic.Pointer[evidenceDoc]

	// archive has it instead of all above, at place; nil where there is none.
	archive *Archive
	place   uint64
}

// evidenceDoc is a JSON object, or what will make it.
type evidenceDoc struct {
	encoded []byte
	encode  func() []byte
}

// LazyEvidence gives evidence whose document is encoded when it is first asked for; encode always gives the same.
func LazyEvidence(typeUID int64, product string, encode func() []byte) *Evidence {
	v := &Evidence{typeUID: typeUID, product: product}
	v.doc.Store(&evidenceDoc{encode: encode})
	return v
}

// Exhibit is evidence as it is shown.
type Exhibit struct {
	// TypeUID is the OCSF type of the event.
	TypeUID int64
	Product string
	// Doc is a JSON object.
	Doc []byte
}

// Show gives the evidence; ok is false where its archive has it no more.
func (v *Evidence) Show() (x Exhibit, ok bool) {
	if v.archive == nil {
		return Exhibit{TypeUID: v.typeUID, Product: v.product, Doc: v.document()}, true
	}
	return v.archive.look(v.place)
}

func (v *Evidence) document() []byte {
	d := v.doc.Load()
	if d == nil {
		return nil
	}
	if d.encode == nil {
		return d.encoded
	}
	encoded := d.encode()
	v.doc.Store(&evidenceDoc{encoded: encoded})
	return encoded
}

// Evidence writes evidence; into a compact body, where it is in the archive.
func (c *Encoder) Evidence(v *Evidence) {
	if c.compact {
		c.Uint(v.place)
		return
	}
	x, _ := v.Show()
	c.Int(x.TypeUID)
	c.String(x.Product)
	c.Bytes(x.Doc)
}

// Evidence reads evidence.
func (d *Decoder) Evidence() *Evidence {
	if d.compact {
		return &Evidence{archive: d.archive, place: d.Uint()}
	}
	v := &Evidence{typeUID: d.Int(), product: d.String()}
	v.doc.Store(&evidenceDoc{encoded: d.Bytes()})
	return v
}
