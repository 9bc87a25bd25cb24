package ocisim

import (
	"cmp"
	"slices"
	"time"
)

const (
	maxGroups        = 50
	defaultTimeout   = 30 * time.Second
	minGroupTimeout  = time.Second
	maxGroupTimeout  = 10 * time.Minute
	maxGroupNameSize = 64
)

// consumerGroup shares the partitions of a stream among its instances, and keeps what was committed.
type consumerGroup struct {
	name      string
	used      time.Time
	next      []int64 // by partition: where it goes on
	saved     []bool  // by partition: something was committed
	reserved  []reservation
	instances map[string]*groupInstance
}

// reservation says who reads a partition. Whenever it changes hands it gets another number.
type reservation struct {
	instance string
	grant    uint64
}

// groupInstance is one consumer of a group. It is gone when it has not been heard of for its timeout.
type groupInstance struct {
	name    string
	session uint64 // also the order in which instances came
	timeout time.Duration
	seen    time.Time
}

// group gives a group with its instances of now, nil where there is none; mu is held.
func (s *stream) group(name string, now time.Time) *consumerGroup {
	g := s.groups[name]
	if g == nil {
		return nil
	}
	if now.Sub(g.used) > s.tenancy.config.Retention {
		delete(s.groups, name)
		return nil
	}
	s.balance(g, now)
	return g
}

// join makes an instance part of a group, which is made where there is none; mu is held.
// An instance that comes again is another: what the old one was given counts no more.
func (s *stream) join(name, instance string, timeout time.Duration, at startAt, now time.Time) (*consumerGroup, *groupInstance, *apiError) {
	g := s.group(name, now)
	if g == nil {
		if len(s.groups) >= maxGroups {
			return nil, nil, &apiError{400, "LimitExceeded", "The stream has as many consumer groups as it may have."}
		}
		g = &consumerGroup{name: name, instances: map[string]*groupInstance{}, reserved: make([]reservation, len(s.partitions)), saved: make([]bool, len(s.partitions))}
		for _, p := range s.partitions {
			g.next = append(g.next, at.in(p, now))
		}
		s.groups[name] = g
	}
	s.serial++
	i := &groupInstance{name: instance, session: s.serial, timeout: timeout, seen: now}
	for number := range g.reserved {
		if g.reserved[number].instance == instance {
			g.reserved[number] = reservation{}
		}
	}
	g.instances[instance], g.used = i, now
	s.balance(g, now)
	return g, i, nil
}

// balance drops instances that are silent and shares the partitions among the others, each as many or one more; mu is held.
// A partition that changes hands begins again behind what was committed.
func (s *stream) balance(g *consumerGroup, now time.Time) {
	var alive []*groupInstance
	for name, i := range g.instances {
		if now.Sub(i.seen) > i.timeout {
			delete(g.instances, name)
			continue
		}
		alive = append(alive, i)
	}
	slices.SortFunc(alive, func(a, b *groupInstance) int { return cmp.Compare(a.session, b.session) })
	share := map[string]int{}
	for n, i := range alive {
		share[i.name] = len(g.reserved) / len(alive)
		if n < len(g.reserved)%len(alive) {
			share[i.name]++
		}
	}
	for number := range g.reserved {
		r := &g.reserved[number]
		if share[r.instance] == 0 {
			*r = reservation{}
			continue
		}
		share[r.instance]--
	}
	for number := range g.reserved {
		if g.reserved[number].instance != "" {
			continue
		}
		for _, i := range alive {
			if share[i.name] > 0 {
				share[i.name]--
				s.serial++
				g.reserved[number] = reservation{instance: i.name, grant: s.serial}
				break
			}
		}
	}
}

// member gives the group and instance of a cursor, touched; mu is held.
func (s *stream) member(c streamCursor, now time.Time) (*consumerGroup, *apiError) {
	g := s.group(c.Group, now)
	if g == nil {
		return nil, notFound()
	}
	i := g.instances[c.Instance]
	if i == nil || i.session != c.Session {
		return nil, invalid("The cursor's instance is not part of the group any more.")
	}
	i.seen, g.used = now, now
	return g, nil
}

// position is where an instance goes on in a partition that it reads: where its cursor stands, or behind what was committed.
func (g *consumerGroup) position(c streamCursor, number int) int64 {
	if at, ok := c.Stands[number]; ok && at.Grant == g.reserved[number].grant {
		return at.Next
	}
	return g.next[number]
}

// commit saves where a cursor stands. It is refused where a partition has another reader now.
func (g *consumerGroup) commit(c streamCursor) *apiError {
	for number, at := range c.Stands {
		if g.reserved[number].grant != at.Grant {
			return invalid("The cursor's instance does not hold the reservation of partition %d any more.", number)
		}
	}
	for number, at := range c.Stands {
		g.next[number], g.saved[number] = at.Next, true
	}
	return nil
}

// startAt is where reading begins.
type startAt struct {
	kind   string
	offset int64
	time   time.Time
}

// in gives the offset of the first message to read in a partition.
func (a startAt) in(p *streamPartition, now time.Time) int64 {
	switch a.kind {
	case cursorLatest:
		return p.end()
	case cursorAtTime:
		return p.since(a.time, now)
	case cursorAtOffset:
		return a.offset
	case cursorAfterOffset:
		return a.offset + 1
	}
	return p.oldest(now)
}
