package normalize

import (
	"slices"
	"strings"

	"github.com/valyala/fastjson"
)

// methods are the HTTP methods that OCSF knows.
var methods = []string{"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}

func httpRequest(s source) *object {
	request := s.object()
	if method := strings.ToUpper(str(s.request, "action")); slices.Contains(methods, method) {
		request.text("http_method", method)
	}
	request.text("user_agent", first(str(s.identity, "userAgent"), str(s.details, "ssoUserAgent")))
	request.object("url", s.just("path", str(s.request, "path")))
	if s.parts == whole {
		request.list("http_headers", headers(s.draft, objectAt(s.request, "headers")))
	}
	return request
}

// headers gives the headers by name; the values of those that let somebody in are not repeated.
func headers(d *draft, all *fastjson.Value) []node {
	if all == nil {
		return nil
	}
	values := d.object()
	all.GetObject().Visit(func(key []byte, v *fastjson.Value) {
		name := view(key)
		if values.has(name) {
			return
		}
		value := scalar(v)
		switch elements := v.GetArray(); len(elements) {
		case 0:
		case 1:
			value = scalar(elements[0])
		default:
			texts := make([]string, len(elements))
			for i, element := range elements {
				texts[i] = scalar(element)
			}
			value = strings.Join(texts, ", ")
		}
		if secretHeader(name) {
			value = masked
		}
		values.fields = append(values.fields, field{name: name, node: node{kind: isText, text: value}})
	})
	slices.SortFunc(values.fields, func(a, b field) int { return strings.Compare(a.name, b.name) })
	list := d.nodesOf(len(values.fields))
	for i := range values.fields {
		header := d.object()
		header.fields = append(header.fields, field{name: "name", node: node{kind: isText, text: values.fields[i].name}}, field{name: "value", node: values.fields[i].node})
		list[i] = node{kind: isObject, object: header}
	}
	return list
}

func secretHeader(name string) bool {
	for _, word := range [...]string{"authorization", "cookie", "token", "secret", "password"} {
		for i := range len(name) - len(word) + 1 {
			if hasFold(name[i:], word) {
				return true
			}
		}
	}
	return false
}

// mask hides the values of headers that let somebody in.
func mask(headers *object) {
	for i := range headers.fields {
		if f := &headers.fields[i]; secretHeader(f.name) {
			f.node = node{fixed: masked}
		}
	}
}

const masked = "*****"
