package ocifields

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"benthos-oci/plugins/internal/lintrule"
	"benthos-oci/plugins/internal/oci"
)

// Names of the fields that say with whose key requests are signed, and where they go.
const (
	fieldAuth           = "auth"
	fieldMethod         = "type"
	fieldTenancy        = "tenancy"
	fieldUser           = "user"
	fieldFingerprint    = "fingerprint"
	fieldPrivateKey     = "private_key"
	fieldPrivateKeyFile = "private_key_file"
	fieldPassphrase     = "passphrase"
	fieldRegion         = "region"
	fieldConfigFile     = "config_file"
	fieldProfile        = "profile"

	fieldEndpoint    = "endpoint"
	fieldTLS         = "tls"
	fieldRootCAs     = "root_cas"
	fieldRootCAsFile = "root_cas_file"
	fieldCertFile    = "cert_file"
	fieldKeyFile     = "key_file"
)

// methodAuto is the type that looks at which fields are given.
const methodAuto = "auto"

// Auth gives the fields that say with whose key requests are signed, and where they go.
func Auth() []*service.ConfigField {
	methods := []string{methodAuto}
	for _, m := range oci.Methods() {
		methods = append(methods, string(m))
	}
	return []*service.ConfigField{
		service.NewObjectField(fieldAuth,
			service.NewStringEnumField(fieldMethod, methods...).Description("How requests are authenticated: "+
				"`api_key` (`tenancy`, `user`, `fingerprint`, `private_key` or `private_key_file`, `region`), "+
				"`config_file` (an API key in a profile of a config file: `config_file`, `profile`), "+
				"`session_token` (a profile that `oci session authenticate` has made), "+
				"`instance_principal` (a compute instance in a dynamic group), "+
				"`resource_principal` (a function, container instance or job whose platform gives it one), "+
				"`workload_identity` (a pod of an enhanced OKE cluster). "+
				"`auto` is `api_key` where a key is written out here, and else `config_file`. A field that does not belong to the type is an error.").Default(methodAuto),
			service.NewStringField(fieldTenancy).Description("OCID of the tenancy. Principals belong to one and need it only to read another, whose policies admit them.").
				Default("").Example("ocid1.tenancy.oc1..aaaa").LintRule(lintPossible(fieldTenancy)),
			service.NewStringField(fieldUser).Description("OCID of the user whose API key this is.").Default("").Example("ocid1.user.oc1..aaaa").LintRule(lintPossible(fieldUser)),
			service.NewStringField(fieldFingerprint).Description("Fingerprint of the API key, as the Console shows it.").Default("").
				Example("20:3b:97:13:55:1c:5b:0d:d3:37:d8:50:4e:c5:3a:34").LintRule(lintPossible(fieldFingerprint)),
			service.NewStringField(fieldPrivateKey).Description("The private key in PEM form. A key whose newlines were turned into spaces works, too.").
				Default("").Secret().Example("${OCI_PRIVATE_KEY}").LintRule(lintPossible(fieldPrivateKey)),
			service.NewStringField(fieldPrivateKeyFile).Description("Path of the private key. A file that every user may read is refused. "+
				"The file is looked at every ten seconds: a rotated key is taken up without a restart.").Default("").Example("~/.oci/oci_api_key.pem"),
			service.NewStringField(fieldPassphrase).Description("Passphrase of an encrypted private key.").Default("").Secret().Example("${OCI_PASSPHRASE}"),
			service.NewStringField(fieldRegion).Description("The tenancy's home region, where identity calls go. Short codes like `iad` work. "+
				"With a config file it replaces the region of the profile; a principal takes its own region where this is empty.").Default("").Example("us-ashburn-1").LintRule(lintPossible(fieldRegion)),
			service.NewStringField(fieldConfigFile).Description("Path of a config file as Oracle's command line has it; used when no API key is given here. "+
				"Empty means `~/.oci/config`.").Default("").Example("/etc/oci/config"),
			service.NewStringField(fieldProfile).Description("Profile of the config file. Empty means `DEFAULT`.").Default("").Example("PROD"),
		).Description("With whose key requests are signed.").LintRule(lintAuth()),
		service.NewStringField(fieldEndpoint).Description("Where the APIs stand, instead of at Oracle's hosts; `{region}` and `{service}` in it are replaced. " +
			"A service is `audit`, `identity`, `cloudguard`, `logging`, `streaming`, or `auth` where an instance gets its tokens. " +
			"Plain http is allowed to this machine only. For gateways, and for the simulator.").Default("").Advanced().
			Example("http://127.0.0.1:8081/{region}").LintRule(lintrule.Of("benthos_oci_lint_endpoint", lintrule.Text(oci.CheckEndpoint))),
		service.NewObjectField(fieldTLS,
			service.NewStringField(fieldRootCAs).Description("Certificates in PEM form of authorities to trust beside the machine's own.").Default(""),
			service.NewStringField(fieldRootCAsFile).Description("Path of a file with such certificates.").Default("").Example("/etc/ssl/private-ca.pem"),
			service.NewStringField(fieldCertFile).Description("Path of our certificate, for gateways that ask for one. It is read anew for each connection.").Default(""),
			service.NewStringField(fieldKeyFile).Description("Path of the private key of our certificate.").Default(""),
		).Description("Whom to trust where a proxy or gateway of yours stands between. " +
			"A server whose certificate is not trusted, has expired or is for another host is never spoken to: there is no switch for that. " +
			"The proxy itself is taken from the environment: `HTTPS_PROXY`, `NO_PROXY`.").Advanced(),
	}
}

// lintPossible finds values that cannot be right. An empty one is what an environment variable gives that is not set where lint runs.
func lintPossible(field string) string {
	return lintrule.Of("benthos_oci_lint_"+field, lintrule.Text(func(value string) error {
		if value == "" {
			return nil
		}
		return oci.Impossible(field, value)
	}))
}

// lintAuth finds fields that do not belong to the type.
func lintAuth() string {
	takes := map[string][]string{}
	for _, m := range oci.Methods() {
		takes[string(m)] = m.Takes()
	}
	table, err := json.Marshal(takes)
	if err != nil {
		panic(fmt.Errorf("writing the lint rule of %s: %w", fieldAuth, err)) // a map of strings can always be written
	}
	all, err := json.Marshal(oci.Method("").Takes())
	if err != nil {
		panic(fmt.Errorf("writing the lint rule of %s: %w", fieldAuth, err))
	}
	return `let takes = ` + string(table) + `.get(this.type.or("").string().lowercase())
let extra = this.filter(f -> $takes != null && ` + string(all) + `.contains(f.key) && !$takes.contains(f.key) && f.value != "").keys().sort()
root = if $extra.length() > 0 { "type %s does not take %s, but %s".format(this.type, $extra.join(", "), $takes.join(", ")) }`
}

// parseAuth reads the fields of Auth.
func (c *Config) parseAuth(conf *service.ParsedConfig) error {
	var method string
	for _, f := range []struct {
		to   *string
		path []string
	}{
		{&method, []string{fieldAuth, fieldMethod}},
		{&c.Auth.Tenancy, []string{fieldAuth, fieldTenancy}},
		{&c.Auth.User, []string{fieldAuth, fieldUser}},
		{&c.Auth.Fingerprint, []string{fieldAuth, fieldFingerprint}},
		{&c.Auth.PrivateKey, []string{fieldAuth, fieldPrivateKey}},
		{&c.Auth.PrivateKeyFile, []string{fieldAuth, fieldPrivateKeyFile}},
		{&c.Auth.Passphrase, []string{fieldAuth, fieldPassphrase}},
		{&c.Auth.Region, []string{fieldAuth, fieldRegion}},
		{&c.Auth.ConfigFile, []string{fieldAuth, fieldConfigFile}},
		{&c.Auth.Profile, []string{fieldAuth, fieldProfile}},
		{&c.Endpoint, []string{fieldEndpoint}},
		{&c.TLS.RootCAs, []string{fieldTLS, fieldRootCAs}},
		{&c.TLS.RootCAsFile, []string{fieldTLS, fieldRootCAsFile}},
		{&c.TLS.CertFile, []string{fieldTLS, fieldCertFile}},
		{&c.TLS.KeyFile, []string{fieldTLS, fieldKeyFile}},
	} {
		value, err := conf.FieldString(f.path...)
		if err != nil {
			return err
		}
		*f.to = value
	}
	// The linter looks at types without case, so they are read so.
	if method = strings.ToLower(method); method != methodAuto {
		c.Auth.Method = oci.Method(method)
	}
	return nil
}
