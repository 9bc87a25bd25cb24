package ocilogging

import (
	"fmt"
	"strings"
)

// position is all that is saved but for when the regions were last listed.
func (r *rig) position() string {
	var all []string
	for _, key := range r.disk.Keys() {
		if !strings.HasSuffix(key, "/ledger") {
			all = append(all, key+"="+string(r.disk.Item(key)))
		}
	}
	return fmt.Sprint(len(all), strings.Join(all, "\n"))
}
