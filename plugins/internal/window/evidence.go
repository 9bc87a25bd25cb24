package window

import "sync/atomic"

// Evidence is what an analyst needs of an event. The entries of one event share it in all keys,
// so that it is encoded once, and only if it is saved or shown. It is safe for concurrent use.
type Evidence struct {
	// TypeUID is the OCSF type of the event.
	TypeUID int64
	Product string

	doc atomic.Pointer[evidenceDoc]
}

// evidenceDoc is a JSON object, or what will make it.
type evidenceDoc struct {
	encoded []byte
	encode  func() []byte
}

// LazyEvidence gives evidence whose document is encoded when it is first asked for; encode always gives the same.
func LazyEvidence(typeUID int64, product string, encode func() []byte) *Evidence {
	v := &Evidence{TypeUID: typeUID, Product: product}
	v.doc.Store(&evidenceDoc{encode: encode})
	return v
}

// Doc gives the JSON object.
func (v *Evidence) Doc() []byte {
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

// Evidence writes evidence.
func (c *Encoder) Evidence(v *Evidence) {
	c.Int(v.TypeUID)
	c.String(v.Product)
	c.Bytes(v.Doc())
}

// Evidence reads evidence.
func (d *Decoder) Evidence() *Evidence {
	v := &Evidence{TypeUID: d.Int(), Product: d.String()}
	v.doc.Store(&evidenceDoc{encoded: d.Bytes()})
	return v
}
