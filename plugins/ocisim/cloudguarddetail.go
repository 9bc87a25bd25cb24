package ocisim

import (
	"slices"
	"strconv"

	"benthos-oci/plugins/internal/sample"
)

func listProblemHistories(id string) route {
	return func(q *request) (*answer, *apiError) {
		if q.query.Get("compartmentId") == "" {
			return nil, missing("compartmentId")
		}
		p, o, err := q.problem(id)
		if err != nil {
			return nil, err
		}
		if asked := q.query.Get("compartmentId"); asked != q.tenancy.id && asked != o.Compartment.ID {
			return nil, notFound()
		}
		c, err := q.turn()
		if err != nil {
			return nil, err
		}
		size, err := q.limit(100, 1000)
		if err != nil {
			return nil, err
		}
		order, err := q.oneOf("sortOrder", "DESC", "ASC", "DESC")
		if err != nil {
			return nil, err
		}
		var seen []change
		for _, one := range p.changes {
			if !one.at.After(c.asOf) && one.detail != "" {
				seen = append(seen, one)
			}
		}
		if order == "DESC" {
			slices.Reverse(seen)
		}
		ans := q.list(c, len(seen), size, q.sim.config.EmptyPages, func(i int) []byte {
			actor := "USER"
			if seen[i].actor == "Cloud Guard" {
				actor = "CLOUD_GUARD_SERVICE"
			}
			return encode(map[string]any{
				"id": sample.UUID("history", id, stamp(seen[i].at)), "problemId": id, "actorType": actor, "actorName": seen[i].actor,
				"explanation": "The problem became " + seen[i].detail + ".", "lifecycleDetail": seen[i].detail,
				"timeCreated": stamp(seen[i].at), "delta": "", "eventStatus": nil, "comment": seen[i].comment,
			})
		})
		ans.inside = true
		return ans, nil
	}
}

// listProblemEndpoints gives addresses for problems that stand for what somebody did; the others have none.
func listProblemEndpoints(id string) route {
	return func(q *request) (*answer, *apiError) {
		p, o, err := q.problem(id)
		if err != nil {
			return nil, err
		}
		c, err := q.turn()
		if err != nil {
			return nil, err
		}
		size, err := q.limit(100, 1000)
		if err != nil {
			return nil, err
		}
		n := 0
		if full := sample.Problem(p.name, o); full["impactedResourceId"] != nil {
			n = 1 + len(p.name)%3
		}
		ans := q.list(c, n, size, q.sim.config.EmptyPages, func(i int) []byte {
			return encode(map[string]any{
				"id": sample.UUID("endpoint", id, strconv.Itoa(i)), "problemId": id, "sightingId": sample.UUID("sighting", id),
				"sightingType": p.name, "sightingTypeDisplayName": p.name, "ipAddress": "203.0.113." + strconv.Itoa(1+i+len(id)%200),
				"ipAddressType": "IPV4", "ipClassificationType": "SUSPICIOUS", "country": "Nowhere", "latitude": 0, "longitude": 0,
				"asnNumber": "64496", "regions": []string{o.Region}, "services": []string{"Identity"}, "timeLastDetected": stamp(o.Last),
			})
		})
		ans.inside = true
		return ans, nil
	}
}
