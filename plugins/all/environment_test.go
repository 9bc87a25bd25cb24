package all

import "testing"

func TestEnvironmentIsReplacedAsBenthosDoes(t *testing.T) {
	t.Setenv("SET", "value")
	t.Setenv("LINES", "a\nb")
	t.Setenv("CODED", "c2VjcmV0")
	t.Setenv("EMPTY", "")
	for _, test := range []struct{ name, config, want string }{
		{"a variable", "a: ${SET}", "a: value"},
		{"a default that is not needed", "a: ${SET:x}", "a: value"},
		{"a default", "a: ${UNSET:x:y}", "a: x:y"},
		{"an empty default", "a: ${UNSET:}", "a: "},
		{"the default of an empty variable", "a: ${EMPTY:x}", "a: x"},
		{"lines", "a: ${LINES}", `a: a\nb`},
		{"base64", "a: ${CODED|base64decode}", "a: secret"},
		{"an escape", "a: ${{SET}}", "a: ${SET}"},
		{"a function of messages", "a: ${! @id }", "a: ${! @id }"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := withEnvironment(test.config)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
	if _, err := withEnvironment("a: ${UNSET}"); err == nil {
		t.Error("a variable that is not set and has no default: got no error")
	}
	if _, err := withEnvironment("a: ${SET|base64decode}"); err == nil {
		t.Error("a variable that is no base64: got no error")
	}
}

func TestLiteralTextIsNotReplacedASecondTime(t *testing.T) {
	t.Setenv("SET", "value")
	for _, text := range []string{"a: ${SET}", "a: ${UNSET:other}", "a: ${! @id }", "a: plain", "a: ${SET} and ${SET}"} {
		got, err := withEnvironment(literal(text))
		if err != nil || got != text {
			t.Errorf("%s: got %q, %v after it was made literal, want it unchanged", text, got, err)
		}
	}
}
