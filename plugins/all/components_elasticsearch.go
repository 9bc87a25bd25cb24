//go:build elasticsearch

package all

// The typed client behind elasticsearch_v8 is 30 MB of code, a third of the program. It is for those who ask: make build TAGS=elasticsearch.
import _ "github.com/redpanda-data/connect/v4/public/components/elasticsearch/v8"
