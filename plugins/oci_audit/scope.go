package ociaudit

import (
	"context"
	"slices"

	"benthos-oci/plugins/internal/oci"
)

// place is one partition: the Audit API is asked for one compartment in one region at a time.
type place struct {
	region, compartment string
	deleted             bool
}

// name tells partitions apart, in metadata, keys and watermarks.
func (p place) name() string { return p.region + "/" + p.compartment }

// explicit are the regions that are named, nil where all subscribed ones are meant.
func explicit(regions []string) []string {
	if slices.Contains(regions, subscribed) {
		return nil
	}
	return regions
}

// needsList is true where the compartments of the tenancy must be listed.
func (c config) needsList() bool { return len(c.include) == 0 || c.subtree }

// places finds what the configuration means today.
func (c config) places(ctx context.Context, client *oci.Client) ([]place, error) {
	regions := explicit(c.regions)
	if regions == nil {
		var err error
		if regions, err = client.Regions(ctx); err != nil {
			return nil, err
		}
	}
	var compartments []oci.Compartment
	if c.needsList() {
		all, err := client.Compartments(ctx)
		if err != nil {
			return nil, err
		}
		compartments = all
	}
	var all []place
	for _, region := range regions {
		for _, one := range c.chosen(compartments) {
			all = append(all, place{region: oci.CanonicalRegion(region), compartment: one.ID, deleted: one.Deleted})
		}
	}
	slices.SortFunc(all, func(a, b place) int { return compare(a.name(), b.name()) })
	return slices.CompactFunc(all, func(a, b place) bool { return a.name() == b.name() }), nil
}

func compare(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// chosen picks the included compartments and leaves out the excluded ones.
// A named compartment that is not listed is kept: the API will say what is wrong with it.
func (c config) chosen(all []oci.Compartment) []oci.Compartment {
	parents := map[string]string{}
	for _, one := range all {
		parents[one.ID] = one.Parent
	}
	below := func(id string, roots []string) bool {
		for range len(all) + 1 {
			if slices.Contains(roots, id) {
				return true
			}
			if !c.subtree || parents[id] == "" {
				return false
			}
			id = parents[id]
		}
		return false // the tree has a circle
	}
	var out []oci.Compartment
	for _, one := range all {
		if (len(c.include) == 0 || below(one.ID, c.include)) && !below(one.ID, c.exclude) {
			out = append(out, one)
		}
	}
	for _, id := range c.include {
		if _, listed := parents[id]; !listed && !slices.Contains(c.exclude, id) {
			out = append(out, oci.Compartment{ID: id})
		}
	}
	return out
}
