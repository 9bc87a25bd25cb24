package collect

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// record is one record of the simulated API: it was processed at one time and can be listed from another on.
type record struct {
	id        ID
	processed time.Time
	visible   time.Time
}

// TestNothingIsLostAndWithoutACrashNothingRepeats runs the cursor against an API whose records appear late,
// with failing pages, acks in any order, nacks, and crashes at any point.
func TestNothingIsLostAndWithoutACrashNothingRepeats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plan := livePlan()
		plan.Inclusive = rapid.Bool().Draw(t, "inclusive")
		plan.Abreast = rapid.IntRange(1, 4).Draw(t, "abreast")
		plan.FirstWindow = time.Duration(rapid.IntRange(15, 60).Draw(t, "window")) * time.Minute
		start, length := at("00:00"), 6*time.Hour
		var world []record
		for i := range rapid.IntRange(0, 80).Draw(t, "records") {
			processed := start.Add(time.Duration(rapid.IntRange(0, int(length.Seconds())-1).Draw(t, "processed")) * time.Second)
			if rapid.Bool().Draw(t, "full minute") {
				processed = Floor(processed)
			}
			late := time.Duration(rapid.IntRange(0, int(plan.Overlap.Seconds())).Draw(t, "late")) * time.Second
			world = append(world, record{id: IDOf(fmt.Append(nil, i)), processed: processed, visible: processed.Add(late)})
		}
		s := store{}
		c := Start(plan, "p", start)
		s.write(c.First())
		delivered := map[ID]int{}
		crashes := 0
		crashing := rapid.Bool().Draw(t, "crashing") // else nothing may leave twice
		type flight struct {
			batch *Batch
			ids   []ID
		}
		var flying []flight
		var reading []*Pass
		now := start
		end := start.Add(length + time.Hour)
		quiet := false // at the end everything works
		for steps := 0; ; steps++ {
			if steps > 20_000 {
				t.Fatalf("the cursor does not come to rest: position %s", c.Position())
			}
			if now.After(end) {
				quiet = true
			}
			if quiet && len(flying) == 0 && len(reading) == 0 && c.CaughtUp(now) && len(c.passes) == 0 {
				break
			}
			action := rapid.IntRange(0, 9).Draw(t, "action")
			if quiet {
				action = steps % 6
			}
			switch {
			case action <= 2: // read a pass
				if p, ok := c.Next(now); ok {
					reading = append(reading, p)
				}
				if len(reading) > plan.Abreast {
					t.Fatalf("%d passes are read at the same time, want at most %d", len(reading), plan.Abreast)
				}
				// Any of those that are being read comes to its end, or none yet.
				i := rapid.IntRange(0, max(len(reading)-1, 0)).Draw(t, "pass")
				if len(reading) == 0 || !quiet && len(reading) < plan.Abreast && rapid.Bool().Draw(t, "goes on") {
					break
				}
				p := reading[i]
				reading = append(reading[:i:i], reading[i+1:]...)
				failed := false
				for _, span := range p.Spans {
					var page []ID
					for _, r := range world {
						inside := r.processed.Before(span.End) || plan.Inclusive && r.processed.Equal(span.End)
						if !r.processed.Before(span.Start) && inside && !r.visible.After(now) {
							page = append(page, r.id)
						}
					}
					b, fresh := c.Admit(p, page)
					var got []ID
					for i, id := range page {
						if fresh[i] {
							got = append(got, id)
						}
					}
					if b != nil {
						flying = append(flying, flight{b, got})
					}
					if !quiet && rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
						failed = true
						break
					}
				}
				if failed {
					c.Fail(p)
					break
				}
				c.Read(p, len(p.Spans))
			case action <= 4: // ack or nack any batch
				if len(flying) == 0 {
					break
				}
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "which")
				f := flying[i]
				flying = append(flying[:i:i], flying[i+1:]...)
				if !quiet && rapid.IntRange(0, 19).Draw(t, "nack") == 0 {
					c.Nack(f.batch)
					break
				}
				for _, id := range f.ids {
					delivered[id]++
				}
				c.Ack(f.batch)
			case action == 5: // save
				save, ok := c.Save()
				if !ok {
					break
				}
				if !quiet && crashing && rapid.IntRange(0, 19).Draw(t, "torn") == 0 {
					s.write(save.Changes[:rapid.IntRange(0, len(save.Changes)).Draw(t, "written")])
					c, flying, reading = s.restore(t, plan), nil, nil
					crashes++
					break
				}
				s.write(save.Changes)
				c.Saved(save)
			case action <= 8: // time passes
				now = now.Add(time.Duration(rapid.IntRange(0, 900).Draw(t, "seconds")) * time.Second)
			case !crashing && !quiet && rapid.IntRange(0, 3).Draw(t, "stop") == 0: // a clean stop: everything is acked, then saved
				for _, f := range flying {
					for _, id := range f.ids {
						delivered[id]++
					}
					c.Ack(f.batch)
				}
				for _, save := range []func() (*Save, bool){c.Save, func() (*Save, bool) { return c.SavePart(1) }} {
					if changes, ok := save(); ok {
						s.write(changes.Changes)
						c.Saved(changes)
					}
				}
				c, flying, reading = s.restore(t, plan), nil, nil
			case !crashing && !quiet: // a long pass is saved in parts
				if save, ok := c.SavePart(3); ok {
					s.write(save.Changes)
					c.Saved(save)
				}
			default: // a crash
				if crashing && rapid.IntRange(0, 4).Draw(t, "crash") == 0 {
					c, flying, reading = s.restore(t, plan), nil, nil
					crashes++
				}
			}
		}
		for _, r := range world {
			n := delivered[r.id]
			if n == 0 {
				t.Fatalf("a record processed at %s and visible from %s was lost", r.processed, r.visible)
			}
			if n > 1+crashes {
				t.Fatalf("a record left %d times with %d crashes", n, crashes)
			}
		}
	})
}

func (s store) restore(t *rapid.T, plan Plan) *Cursor {
	saved, err := ParsePosition("p", s["p"])
	if err != nil {
		t.Fatal(err)
	}
	var values [][]byte
	for _, key := range saved.Segments() {
		values = append(values, s[key])
	}
	c, bad := saved.Restore(plan, values)
	if bad != 0 {
		t.Fatalf("got %d bad segments, want none", bad)
	}
	return c
}
