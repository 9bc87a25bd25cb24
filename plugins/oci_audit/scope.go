package ociaudit

import (
	"context"
	"slices"
	"strings"

	"benthos-oci/plugins/internal/oci"
	"benthos-oci/plugins/internal/ocireader"
)

// explicit are the regions that are named, nil where all subscribed ones are meant.
func explicit(regions []string) []string {
	if slices.Contains(regions, subscribed) {
		return nil
	}
	return regions
}

// needsList is true where the compartments of the tenancy must be listed.
func (c config) needsList() bool { return len(c.include) == 0 || c.subtree }

// places finds what the configuration means today. The Audit API is asked for one compartment in one region at a time.
func (c config) places(ctx context.Context, client *oci.Client) ([]ocireader.Place, error) {
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
	var all []ocireader.Place
	for _, region := range regions {
		region = oci.CanonicalRegion(region)
		for _, one := range c.chosen(compartments) {
			all = append(all, ocireader.Place{Name: region + "/" + one.ID, Region: region, Subject: one.ID, Deleted: one.Deleted})
		}
	}
	if len(all) == 0 {
		return nil, &oci.Error{Kind: oci.BadConfig, Sentence: "compartments.include and compartments.exclude leave nothing to read: correct them"}
	}
	slices.SortFunc(all, func(a, b ocireader.Place) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(all, func(a, b ocireader.Place) bool { return a.Name == b.Name }), nil
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
