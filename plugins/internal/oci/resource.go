package oci

import (
	"fmt"
	"path/filepath"
	"time"
)

// Environment variables in which the platform gives a resource principal, as Oracle's SDKs have them.
const (
	envVersion    = "OCI_RESOURCE_PRINCIPAL_VERSION"
	envToken      = "OCI_RESOURCE_PRINCIPAL_RPST"
	envKey        = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM"
	envPassphrase = "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM_PASSPHRASE"
	envRegion     = "OCI_RESOURCE_PRINCIPAL_REGION"
)

// resourceVersion is the one version that can be used: the platform puts token and key where this process finds them.
const resourceVersion = "2.2"

// readResource reads the token and the key that the platform gives a function or another resource. A value that is
// an absolute path names a file, which the platform replaces before the token in it ends.
func (a Auth) readResource(env func(string) string, l *look) (held, error) {
	version := env(envVersion)
	switch {
	case version == "":
		return held{}, badAuth("there is no resource principal here, because the environment has no %s: use auth.type %s where the platform gives one (functions, container instances, data science jobs), and on a compute instance %s",
			envVersion, ResourcePrincipal, InstancePrincipal)
	case version != resourceVersion:
		return held{}, badAuth("the platform gives a resource principal of version %q (%s), and this program takes %s only, where token and key stand in the environment or in files: run it where that version is given, or choose another auth.type",
			clean(version), envVersion, resourceVersion)
	}
	for _, name := range []string{envToken, envKey} {
		if env(name) == "" {
			return held{}, badAuth("the resource principal is not whole, because the environment has no %s: the platform sets it, so check that it reaches this process", name)
		}
	}
	region := CanonicalRegion(firstOf(a.Region, env(envRegion)))
	if !plausibleRegion(region) {
		return held{}, badAuth("the resource principal's region is missing or is none (%s is %q): set auth.region, like us-ashburn-1", envRegion, clean(region))
	}
	keyText, err := valueOrFile(envKey, env(envKey), l)
	if err != nil {
		return held{}, err
	}
	passphrase, err := valueOrFile(envPassphrase, env(envPassphrase), l)
	if err != nil {
		return held{}, err
	}
	key, err := parseKey(keyText, passphrase, "the key of "+envKey)
	if err != nil {
		return held{}, err
	}
	text, err := valueOrFile(envToken, env(envToken), l)
	if err != nil {
		return held{}, err
	}
	t, err := parseToken(text)
	switch {
	case err != nil:
		return held{}, &Error{Kind: BadToken, Sentence: fmt.Sprintf("the resource principal's token (%s) cannot be used, because %v: the platform sets it, so check that it reaches this process whole", envToken, err)}
	case !t.names(key):
		return held{}, &Error{Kind: BadToken, Sentence: fmt.Sprintf("the resource principal's token (%s) is for another key than that of %s: the platform replaces both, so it is tried again when they have changed", envToken, envKey)}
	}
	tenancy := firstOf(a.Tenancy, t.tenancy)
	if !ocid(tenancy, "tenancy") {
		return held{}, badAuth("the resource principal's token does not say which tenancy it is for: set auth.tenancy to the tenancy's OCID")
	}
	renewal := "the platform has not replaced the file, so check it there"
	if !filepath.IsAbs(env(envToken)) {
		renewal = "it stands in the environment and not in a file, so it can be replaced by a restart only"
	}
	return held{
		who: identity{Method: ResourcePrincipal, Tenancy: tenancy, Region: region, Name: "resource " + clean(t.subject), Expires: t.expires},
		key: t.signs(key),
		expired: func() error {
			return &Error{Kind: BadToken, Sentence: fmt.Sprintf("the resource principal's token (%s) expired at %s: %s", envToken, t.expires.Format(time.RFC3339), renewal)}
		},
	}, nil
}

// valueOrFile gives what a variable holds, or what is in the file that it names.
func valueOrFile(name, value string, l *look) (string, error) {
	if !filepath.IsAbs(value) {
		return value, nil
	}
	l.at(value)
	return readTokenFile(name, value)
}
