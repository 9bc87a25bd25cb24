package ruletest

import "encoding/json"

// Records gives the records that a case feeds.
func (c *Case) Records() ([]json.RawMessage, error) {
	records := make([]json.RawMessage, len(c.Feed))
	for i := range c.Feed {
		var err error
		if records[i], err = json.Marshal(c.Feed[i].record(c.Name, i)); err != nil {
			return nil, err
		}
	}
	return records, nil
}
