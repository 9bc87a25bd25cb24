package oci

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Method is how calls are authenticated.
type Method string

// The methods, as auth.type names them.
const (
	APIKey            Method = "api_key"
	ConfigFile        Method = "config_file"
	SessionToken      Method = "session_token"
	InstancePrincipal Method = "instance_principal"
	ResourcePrincipal Method = "resource_principal"
	WorkloadIdentity  Method = "workload_identity"
)

// Methods are all methods, in the order in which documents name them.
func Methods() []Method {
	return []Method{APIKey, ConfigFile, SessionToken, InstancePrincipal, ResourcePrincipal, WorkloadIdentity}
}

// Takes names the fields of Auth that belong to a method, as the configuration spells them.
func (m Method) Takes() []string {
	switch m {
	case APIKey:
		return []string{"tenancy", "user", "fingerprint", "private_key", "private_key_file", "passphrase", "region"}
	case ConfigFile, SessionToken:
		return []string{"config_file", "profile", "passphrase", "region"}
	case InstancePrincipal, ResourcePrincipal, WorkloadIdentity:
		return []string{"tenancy", "region"}
	}
	return []string{"tenancy", "user", "fingerprint", "private_key", "private_key_file", "passphrase", "region", "config_file", "profile"}
}

// Auth says with whose key calls are signed.
type Auth struct {
	// Method is how calls are authenticated; "" is an API key where one is written out here, and else a profile of a config file.
	Method         Method
	Tenancy        string
	User           string
	Fingerprint    string
	PrivateKey     string
	PrivateKeyFile string
	Passphrase     string
	Region         string
	// ConfigFile and Profile name a section of a file as the oci command line has it; empty: ~/.oci/config and DEFAULT.
	ConfigFile string
	Profile    string
}

// String names whose key it is, and no secret.
func (a Auth) String() string {
	switch a.method() {
	case ConfigFile:
		return fmt.Sprintf("profile %s of %s", a.profile(), a.configFile())
	case SessionToken:
		return fmt.Sprintf("session token of profile %s of %s", a.profile(), a.configFile())
	case InstancePrincipal:
		return "instance principal"
	case ResourcePrincipal:
		return "resource principal"
	case WorkloadIdentity:
		return "workload identity"
	default:
		return "API key of " + a.User
	}
}

// GoString is String, so that %#v shows no secret either.
func (a Auth) GoString() string { return a.String() }

// method is the method that is meant, also where none is named.
func (a Auth) method() Method {
	switch {
	case a.Method != "":
		return a.Method
	case a.PrivateKey == "" && a.PrivateKeyFile == "" && a.User == "" && a.Tenancy == "" && a.Fingerprint == "":
		return ConfigFile
	}
	return APIKey
}

// check finds fields that do not belong to the method.
func (a Auth) check() error {
	if a.Method != "" && !slices.Contains(Methods(), a.Method) {
		return badAuth("auth.type %q is no way to authenticate: it is one of %s", string(a.Method), methodNames())
	}
	if a.Method == "" {
		if a.method() == APIKey && (a.ConfigFile != "" || a.Profile != "") {
			return badAuth("auth gives both an API key (tenancy, user, fingerprint, private_key) and a config file: keep one of the two")
		}
		return nil
	}
	for _, f := range []struct{ name, value string }{
		{"tenancy", a.Tenancy},
		{"user", a.User},
		{"fingerprint", a.Fingerprint},
		{"private_key", a.PrivateKey},
		{"private_key_file", a.PrivateKeyFile},
		{"passphrase", a.Passphrase},
		{"region", a.Region},
		{"config_file", a.ConfigFile},
		{"profile", a.Profile},
	} {
		if f.value != "" && !slices.Contains(a.Method.Takes(), f.name) {
			return badAuth("auth.%s does not belong to auth.type %s, which takes %s: take it out, or choose another type",
				f.name, a.Method, strings.Join(a.Method.Takes(), ", "))
		}
	}
	return nil
}

func methodNames() string {
	names := make([]string, 0, len(Methods()))
	for _, m := range Methods() {
		names = append(names, string(m))
	}
	return strings.Join(names, ", ")
}

func badAuth(format string, args ...any) error {
	return &Error{Kind: BadConfig, Sentence: fmt.Sprintf(format, args...)}
}

func (a Auth) configFile() string {
	if a.ConfigFile == "" {
		return "~/.oci/config"
	}
	return a.ConfigFile
}

func (a Auth) profile() string {
	if a.Profile == "" {
		return "DEFAULT"
	}
	return a.Profile
}

// validTenancy checks what is configured or found as the OCID of a tenancy.
func validTenancy(where, tenancy string) error {
	if ocid(tenancy, "tenancy") {
		return nil
	}
	return badAuth("%stenancy must be the OCID of the tenancy, like ocid1.tenancy.oc1..aaaa (Console, profile menu, Tenancy), got %q", where, clean(tenancy))
}

// validKey checks what an API key consists of.
func (a Auth) validKey(where string) error {
	if err := validTenancy(where, a.Tenancy); err != nil {
		return err
	}
	if err := validUser(where, a.User); err != nil {
		return err
	}
	if err := validFingerprint(where, a.Fingerprint); err != nil {
		return err
	}
	return a.validSource(where)
}

func validUser(where, user string) error {
	if ocid(user, "user") {
		return nil
	}
	return badAuth("%suser must be the OCID of the user whose key this is, like ocid1.user.oc1..aaaa (Console, profile menu, My profile), got %q", where, clean(user))
}

func validFingerprint(where, fingerprint string) error {
	if fingerprintForm.MatchString(fingerprint) {
		return nil
	}
	return badAuth("%sfingerprint must be 16 pairs of hex digits with colons between, as the Console shows it beside the API key", where)
}

// Impossible says why a value of a field of Auth, named as Takes does, cannot be right whatever the other fields say; nil where it may be.
// No secret is part of it.
func Impossible(field, value string) error {
	switch field {
	case "tenancy":
		return validTenancy("", value)
	case "user":
		return validUser("", value)
	case "fingerprint":
		return validFingerprint("", canonicalFingerprint(value))
	case "private_key":
		return validPEM(value, field)
	case "region":
		if region := CanonicalRegion(value); !plausibleRegion(region) {
			return noRegion(region)
		}
	}
	return nil
}

// canonicalFingerprint spells a fingerprint as Oracle does.
func canonicalFingerprint(s string) string { return strings.ToLower(strings.TrimSpace(s)) }

// validSource checks where a key is, and the region.
func (a Auth) validSource(where string) error {
	switch {
	case a.Region == "":
		return badAuth("%sregion is missing: name the tenancy's home region, like us-ashburn-1", where)
	case a.PrivateKey == "" && a.PrivateKeyFile == "":
		return badAuth("%sprivate key is missing: give the PEM in auth.private_key or its path in auth.private_key_file", where)
	case a.PrivateKey != "" && a.PrivateKeyFile != "":
		return badAuth("%sboth private_key and private_key_file are given: keep one of the two", where)
	}
	return nil
}

var fingerprintForm = regexp.MustCompile(`^([0-9a-f]{2}:){15}[0-9a-f]{2}$`)

func ocid(s, kind string) bool {
	return strings.HasPrefix(s, "ocid1."+kind+".") && len(s) < 256 && !strings.ContainsAny(s, " \t\r\n\"/\\")
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
