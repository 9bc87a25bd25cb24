package oci

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// Report tells whether an input can read what it is configured to, and what to do where it cannot.
type Report struct {
	// Tenancy is the OCID of the tenancy, "" where the configuration did not tell.
	Tenancy string
	Steps   []Step
	// Events is the number of records of the last hour, Newest the time of the newest of them.
	Events int
	Newest time.Time
	// Partial is true where there were too many to count; Events is then the least number.
	Partial bool
}

// Step is one thing that must work.
type Step struct {
	// Name is "configuration", "reachable", "authenticated", or a permission like "read audit-events".
	Name string
	// Detail says what was found, where it works.
	Detail string
	// Err is one sentence that says what, why and what to do; nil where it works.
	Err error
	// Statement is the policy statement that is missing; "" where none is.
	Statement string
	// Skipped is true where an earlier failure left nothing to try.
	Skipped bool
}

// OK is true where every step works.
func (r Report) OK() bool {
	for _, s := range r.Steps {
		if s.Err != nil || s.Skipped {
			return false
		}
	}
	return true
}

// Missing are the policy statements that are missing, each once.
func (r Report) Missing() []string {
	var all []string
	for _, s := range r.Steps {
		if s.Err != nil && s.Statement != "" && !slices.Contains(all, s.Statement) {
			all = append(all, s.Statement)
		}
	}
	return all
}

// maxCheckCalls bounds how many pages a check counts.
const maxCheckCalls = 200

// AuditScope says what a check of audit events tries.
type AuditScope struct {
	// Regions to read; empty: all that the tenancy is subscribed to.
	Regions []string
	// Compartments are named in the configuration.
	Compartments []string
	// Listed is true where the compartments of the tenancy are listed.
	Listed bool
}

// CheckAudit calls each operation that reading audit events needs.
func CheckAudit(ctx context.Context, open func() (*Client, error), scope AuditScope) Report {
	c := &checker{ctx: ctx}
	client, ok := c.open(open)
	if !ok {
		return c.skip(permissions[opListRegionSubscriptions].name, permissions[opListCompartments].name, permissions[opListEvents].name)
	}
	regions, compartments := scope.Regions, scope.Compartments
	if len(regions) == 0 {
		c.try(opListRegionSubscriptions, func() (detail string, err error) {
			regions, err = client.Regions(ctx)
			return Counted(len(regions), "region"), err
		})
	}
	if scope.Listed {
		c.try(opListCompartments, func() (string, error) {
			all, err := client.Compartments(ctx)
			if len(compartments) == 0 {
				for _, one := range all {
					compartments = append(compartments, one.ID)
				}
			}
			return Counted(len(all), "compartment"), err
		})
	}
	if len(compartments) == 0 {
		compartments = []string{client.Tenancy()}
	}
	if len(regions) == 0 {
		regions = []string{client.Region()}
	}
	c.try(opListEvents, func() (string, error) {
		to := client.Now().Truncate(time.Minute).Add(time.Minute)
		var first error
		refused, calls := 0, 0
		for _, region := range regions {
			for _, compartment := range compartments {
				if err := c.count(client, AuditQuery{Region: region, Compartment: compartment, Start: to.Add(-time.Hour), End: to}, &calls); err != nil {
					refused++
					if first == nil {
						first = err
					}
					// What is wrong with every call need not be tried for each.
					if KindOf(err) != NoPermission {
						return "", err
					}
				}
			}
		}
		if refused > 0 && refused < len(regions)*len(compartments) {
			return "", &partlyError{refused: refused, all: len(regions) * len(compartments), first: first}
		}
		return Counted(c.report.Events, "event") + " in the last hour", first
	})
	return c.report
}

// CloudGuardScope says what a check of problems tries.
type CloudGuardScope struct {
	// Region is the reporting region; empty: Cloud Guard is asked for it.
	Region string
	// Detail is true where the details of problems are read.
	Detail bool
}

// CheckCloudGuard calls each operation that reading problems needs.
func CheckCloudGuard(ctx context.Context, open func() (*Client, error), scope CloudGuardScope) Report {
	c := &checker{ctx: ctx}
	client, ok := c.open(open)
	if !ok {
		return c.skip(permissions[opGetConfiguration].name, permissions[opListProblems].name, permissions[opListCompartments].name)
	}
	region := scope.Region
	if region == "" {
		c.try(opGetConfiguration, func() (detail string, err error) {
			region, err = client.ReportingRegion(ctx)
			return "reporting region " + region, err
		})
	}
	c.try(opListProblems, func() (string, error) {
		to := client.Now()
		calls := 0
		for _, state := range []string{"ACTIVE", "INACTIVE"} {
			if err := c.countProblems(client, ProblemQuery{Region: region, State: state, From: to.Add(-time.Hour), To: to, Limit: 1000}, &calls); err != nil {
				return "", err
			}
		}
		return fmt.Sprintf("%d problems in the last hour", c.report.Events), nil
	})
	// Without it the lists do not reach below the root.
	c.try(opListCompartments, func() (string, error) {
		all, err := client.Compartments(ctx)
		return Counted(len(all), "compartment"), err
	})
	if scope.Detail {
		c.details(client, region)
	}
	return c.report
}

// details tries what belongs to a problem, with one of the last month.
func (c *checker) details(client *Client, region string) {
	to := client.Now()
	page, err := client.Problems(c.ctx, ProblemQuery{Region: region, State: "ACTIVE", From: to.Add(-30 * 24 * time.Hour), To: to, Limit: 10})
	if err != nil || len(page.Items) == 0 || page.Items[0].ID == "" {
		return // no problem to try it with
	}
	id := page.Items[0].ID
	c.try(opListProblemHistories, func() (string, error) {
		_, err := client.ProblemHistories(c.ctx, region, id, "")
		return "histories of problems", err
	})
	c.try(opListProblemEndpoints, func() (string, error) {
		_, err := client.ProblemEndpoints(c.ctx, region, id, "")
		return "endpoints of problems", err
	})
}

// partlyError says that some compartments cannot be read.
type partlyError struct {
	refused, all int
	first        error
}

// Error names the first refusal.
func (e *partlyError) Error() string {
	return fmt.Sprintf("%d of %d compartments and regions cannot be read; the first: %v", e.refused, e.all, e.first)
}

// Unwrap gives the first refusal.
func (e *partlyError) Unwrap() error { return e.first }

// checker collects the steps of a check.
type checker struct {
	ctx     context.Context //nolint:containedctx // a checker lives for one check
	report  Report
	reached bool
	dead    bool // nothing further can work
}

func (c *checker) open(open func() (*Client, error)) (*Client, bool) {
	client, err := open()
	if err != nil {
		c.report.Steps = append(c.report.Steps, Step{Name: "configuration", Err: err})
		return nil, false
	}
	c.report.Tenancy = client.Tenancy()
	c.report.Steps = append(c.report.Steps, Step{Name: "configuration", Detail: client.Who()})
	return client, true
}

func (c *checker) skip(names ...string) Report {
	for _, name := range append([]string{"reachable", "authenticated"}, names...) {
		c.report.Steps = append(c.report.Steps, Step{Name: name, Skipped: true})
	}
	return c.report
}

// try makes the calls of one operation. The first answer also tells whether Oracle can be reached and knows the key.
func (c *checker) try(operation string, call func() (string, error)) {
	need := permissions[operation]
	if c.dead {
		c.report.Steps = append(c.report.Steps, Step{Name: need.name, Skipped: true})
		return
	}
	detail, err := call()
	failure, told := errors.AsType[*Error](err)
	silent := err != nil && (!told || failure.Status == 0)
	stranger := told && failure.Status == http.StatusUnauthorized
	if !c.reached {
		c.reached = true
		reachable, known := Step{Name: "reachable"}, Step{Name: "authenticated"}
		switch {
		case silent:
			reachable.Err, known.Skipped = err, true
		case stranger:
			known.Err = err
		}
		c.report.Steps = append(c.report.Steps, reachable, known)
		c.dead = silent || stranger
		if c.dead {
			c.report.Steps = append(c.report.Steps, Step{Name: need.name, Skipped: true})
			return
		}
	}
	// Where Cloud Guard is off its lists are refused as if a permission were missing.
	c.dead = KindOf(err) == NotEnabled
	step := Step{Name: need.name, Err: err, Detail: detail}
	if told {
		step.Statement = failure.Statement
	}
	if err != nil {
		step.Detail = ""
	}
	c.report.Steps = append(c.report.Steps, step)
}

func (c *checker) count(client *Client, q AuditQuery, calls *int) error {
	return c.pages(calls, func(token string) (Page, error) {
		q.Page = token
		return client.AuditEvents(c.ctx, q)
	})
}

func (c *checker) countProblems(client *Client, q ProblemQuery, calls *int) error {
	return c.pages(calls, func(token string) (Page, error) {
		q.Page = token
		return client.Problems(c.ctx, q)
	})
}

func (c *checker) pages(calls *int, read func(token string) (Page, error)) error {
	token := ""
	for first := true; first || token != ""; first = false {
		// The first page of each place is always read: it shows the permission.
		if *calls++; *calls > maxCheckCalls && !first {
			c.report.Partial = true
			return nil
		}
		page, err := read(token)
		if err != nil {
			return err
		}
		c.report.Events += len(page.Items)
		for _, item := range page.Items {
			if item.Time.After(c.report.Newest) {
				c.report.Newest = item.Time
			}
		}
		if page.Next == token {
			return nil
		}
		token = page.Next
	}
	return nil
}
