package expr

import "testing"

func TestDurationsOfMillisecondsAreExact(t *testing.T) {
	for _, text := range []string{"8.001s", "4.999s", "59m59.999s", "1.005s", "0.29s"} {
		if d, err := ParseDuration(text); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if again, err := ParseDuration(FormatDuration(d)); err != nil || again != d {
			t.Errorf("%s: got %v, which is printed as %s", text, d, FormatDuration(d))
		}
	}
	for _, text := range []string{"1.0005s", "0.1ms", "0.00001s"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%s: got %v, want an error", text, d)
		}
	}
}
