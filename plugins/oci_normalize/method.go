package ocinormalize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"benthos-oci/plugins/internal/normalize"
)

func init() {
	if err := Register(bloblang.GlobalEnvironment()); err != nil {
		panic(err) // a method's name or parameters are wrong: no run of the program could go on
	}
}

// Register adds the methods to an environment.
func Register(env *bloblang.Environment) error {
	if err := env.RegisterMethodV2(methodNormalize, normalizeSpec(), func(args *bloblang.ParsedParams) (bloblang.Method, error) {
		keep, err := args.GetBool(paramRawData)
		if err != nil {
			return nil, err
		}
		asBytes, err := args.GetBool(paramBytes)
		if err != nil {
			return nil, err
		}
		if asBytes {
			return inBytes(keep), nil
		}
		return onRecord(func(b []byte) (map[string]any, error) {
			doc, err := normalize.Normalize(b)
			if err == nil && keep {
				doc["raw_data"] = string(b)
			}
			return doc, err
		}), nil
	}); err != nil {
		return fmt.Errorf("registering %s: %w", methodNormalize, err)
	}
	if err := env.RegisterMethodV2(methodUnwrap, unwrapSpec(), func(*bloblang.ParsedParams) (bloblang.Method, error) {
		return onRecord(normalize.Record), nil
	}); err != nil {
		return fmt.Errorf("registering %s: %w", methodUnwrap, err)
	}
	return nil
}

// inBytes makes the method that writes documents as JSON. What passes unchanged does so as bytes, too.
func inBytes(keep bool) bloblang.Method {
	return func(v any) (any, error) {
		b, err := recordBytes(v)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return v, nil
		}
		// What leaves takes no more room than it needs: it may be on its way for long.
		buffer := buffers.Get().(*[]byte)
		defer buffers.Put(buffer)
		doc, err := normalize.AppendJSON((*buffer)[:0], b, keep)
		if err != nil {
			return nil, err
		}
		if cap(doc) <= mostKept {
			*buffer = doc
		}
		return bytes.Clone(doc), nil
	}
}

var buffers = sync.Pool{New: func() any { return new([]byte) }}

// mostKept is the largest buffer that is used again.
const mostKept = 1 << 20

// onRecord makes a method of a function on a record's bytes.
func onRecord(f func([]byte) (map[string]any, error)) bloblang.Method {
	return func(v any) (any, error) {
		b, err := recordBytes(v)
		if err != nil {
			return nil, err
		}
		if b == nil {
			return v, nil
		}
		if kind, _ := normalize.Scan(b); kind == normalize.Normalized {
			if _, isObject := v.(map[string]any); isObject {
				return v, nil
			}
			return decodeObject(b)
		}
		doc, err := f(b)
		if err != nil {
			return nil, err
		}
		return doc, nil
	}
}

// decodeObject reads a document that is normalized already.
func decodeObject(b []byte) (any, error) {
	doc, err := normalize.Normalize(b)
	if err != nil {
		return nil, err
	}
	return doc, nil
}

// recordBytes gives the record as bytes; nil for what passes unchanged because there is nothing in it.
func recordBytes(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case []byte:
		return nonEmpty(v), nil
	case string:
		return nonEmpty([]byte(v)), nil
	case map[string]any:
		if len(v) == 0 {
			return nil, nil
		}
		b, err := json.Marshal(v)
		if err != nil {
			return nil, fmt.Errorf("encoding the object to read it as a record: %w", err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("normalizing a value: it must be bytes, text or an object, not %T; call the method on content() or this", v)
}

func nonEmpty(b []byte) []byte {
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	return b
}
