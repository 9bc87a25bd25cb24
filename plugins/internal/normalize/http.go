package normalize

import (
	"maps"
	"slices"
	"strings"

	"github.com/valyala/fastjson"
)

// methods are the HTTP methods that OCSF knows.
var methods = []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}

func httpRequest(s source) map[string]any {
	request := map[string]any{}
	if method := strings.ToUpper(str(s.data, "request", "action")); slices.Contains(methods, method) {
		request["http_method"] = method
	}
	set(request, "user_agent", first(str(s.data, "identity", "userAgent"), str(s.data, "additionalDetails", "ssoUserAgent")))
	if path := str(s.data, "request", "path"); path != "" {
		request["url"] = map[string]any{"path": path}
	}
	if s.parts == whole {
		set(request, "http_headers", headers(object(s.data, "request", "headers")))
	}
	return request
}

// headers gives the headers by name; the values of those that let somebody in are not repeated.
func headers(all *fastjson.Value) []any {
	if all == nil {
		return nil
	}
	values := map[string]any{}
	all.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		name := string(key)
		if _, twice := values[name]; twice {
			return
		}
		value := scalar(v)
		if elements := v.GetArray(); len(elements) > 0 {
			texts := make([]string, len(elements))
			for i, element := range elements {
				texts[i] = scalar(element)
			}
			value = strings.Join(texts, ", ")
		}
		if secretHeader(name) {
			value = masked
		}
		values[name] = value
	})
	list := make([]any, 0, len(values))
	for _, name := range slices.Sorted(maps.Keys(values)) {
		list = append(list, map[string]any{"name": name, "value": values[name]})
	}
	return list
}

func secretHeader(name string) bool {
	name = strings.ToLower(name)
	for _, word := range [...]string{"authorization", "cookie", "token", "secret", "password"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// mask hides the values of headers that let somebody in.
func mask(headers any) {
	all, _ := headers.(map[string]any)
	for name := range all {
		if secretHeader(name) {
			all[name] = masked
		}
	}
}

const masked = "*****"
