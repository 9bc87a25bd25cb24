package normalize

import (
	"strings"
)

// UserName gives the one spelling of a user's name: lower case, without the name of the default domain or identity
// provider before it, and without the words that a failed sign-in puts around it.
//
//	UserName("oracleidentitycloudservice/Alice@Example.com") // "alice@example.com"
//	UserName("tenant: acme, user: Alice@Example.com")        // "alice@example.com"
func UserName(s string) string {
	name, _ := splitUser(s)
	return name
}

// splitUser gives the one spelling of a user's name, and the domain that stood before it.
func splitUser(s string) (name, domain string) {
	s = strings.ToLower(strings.TrimSpace(s))
	if strings.HasPrefix(s, "tenant:") {
		if i := strings.Index(s, "user:"); i >= 0 {
			s = strings.TrimSpace(s[i+len("user:"):])
		}
	}
	for {
		rest, found := "", false
		for _, prefix := range [...]string{"default/", "oracleidentitycloudservice/"} {
			if rest, found = strings.CutPrefix(s, prefix); found {
				domain = strings.TrimSuffix(prefix, "/")
				break
			}
		}
		if !found {
			return s, domain
		}
		s = strings.TrimSpace(rest)
	}
}
