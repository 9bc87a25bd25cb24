// Package progress finds the one watermark tracker of a Benthos stream.
//
// It stands between the inputs, which report what they read, correlate_source, which makes ticks of it,
// and correlate, which follows the ticks; all three find the same tracker through their resources:
//
//	source := progress.Of(res).Register(progress.Name(res), bounded) // in an input's constructor
package progress

import (
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/watermark"
)

// key finds the tracker of a stream; in streams mode one set of resources serves several streams.
type key struct{ stream string }

// Of gives the tracker of the stream that res belongs to.
func Of(res *service.Resources) *watermark.Tracker {
	k := key{stream: res.StreamID()}
	if v, ok := res.GetGeneric(k); ok {
		if t, ok := v.(*watermark.Tracker); ok {
			return t
		}
	}
	v, _ := res.GetOrSetGeneric(k, watermark.New())
	t, _ := v.(*watermark.Tracker)
	return t
}

// Forget makes the stream begin with a new tracker when it is built again: its clock has closed.
func Forget(res *service.Resources) { res.SetGeneric(key{stream: res.StreamID()}, watermark.New()) }

// Name names a component in reports: its label, or its path in the config where it has none.
func Name(res *service.Resources) string {
	if label := res.Label(); label != "" {
		return label
	}
	return strings.Join(res.Path(), ".")
}
