package oci

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
)

// Auth says with whose key calls are signed: either an API key written out, or a profile of a config file as the oci command line has it.
type Auth struct {
	Tenancy        string
	User           string
	Fingerprint    string
	PrivateKey     string
	PrivateKeyFile string
	Passphrase     string
	Region         string
	// ConfigFile and Profile name a section of a file; empty: ~/.oci/config and DEFAULT.
	ConfigFile string
	Profile    string
}

// String names the user, and no secret.
func (a Auth) String() string {
	if a.fromFile() {
		return fmt.Sprintf("profile %s of %s", a.profile(), a.configFile())
	}
	return "API key of " + a.User
}

// GoString is String, so that %#v shows no secret either.
func (a Auth) GoString() string { return a.String() }

func (a Auth) fromFile() bool {
	return a.PrivateKey == "" && a.PrivateKeyFile == "" && a.User == "" && a.Tenancy == "" && a.Fingerprint == ""
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

// complete reads the config file where the key is in one, and checks that nothing is missing.
func (a Auth) complete() (Auth, error) {
	bad := func(format string, args ...any) error {
		return &Error{Kind: BadConfig, Sentence: fmt.Sprintf(format, args...)}
	}
	if !a.fromFile() && (a.ConfigFile != "" || a.Profile != "") {
		return a, bad("auth gives both an API key (tenancy, user, fingerprint, private_key) and a config file: keep one of the two")
	}
	where := "auth."
	if a.fromFile() {
		where = fmt.Sprintf("profile %s of %s: ", a.profile(), a.configFile())
		values, err := readProfile(expand(a.configFile()), a.profile())
		if err != nil {
			return a, err
		}
		if values["security_token_file"] != "" || values["delegation_token_file"] != "" {
			return a, bad("%sit holds a session token, which this program cannot use: choose a profile with an API key (user, fingerprint, key_file)", where)
		}
		region := a.Region
		a = Auth{
			Tenancy: values["tenancy"], User: values["user"], Fingerprint: values["fingerprint"], Region: values["region"],
			PrivateKey: values["key_content"], PrivateKeyFile: values["key_file"], Passphrase: firstOf(a.Passphrase, values["pass_phrase"]),
			ConfigFile: a.ConfigFile, Profile: a.Profile,
		}
		if region != "" {
			a.Region = region
		}
	}
	a.Region = CanonicalRegion(a.Region)
	a.Fingerprint = strings.ToLower(strings.TrimSpace(a.Fingerprint))
	switch {
	case !ocid(a.Tenancy, "tenancy"):
		return a, bad("%stenancy must be the OCID of the tenancy, like ocid1.tenancy.oc1..aaaa (Console, profile menu, Tenancy), got %q", where, a.Tenancy)
	case !ocid(a.User, "user"):
		return a, bad("%suser must be the OCID of the user whose key this is, like ocid1.user.oc1..aaaa (Console, profile menu, My profile), got %q", where, a.User)
	case !fingerprintForm.MatchString(a.Fingerprint):
		return a, bad("%sfingerprint must be 16 pairs of hex digits with colons between, as the Console shows it beside the API key", where)
	case a.Region == "":
		return a, bad("%sregion is missing: name the tenancy's home region, like us-ashburn-1", where)
	case a.PrivateKey == "" && a.PrivateKeyFile == "":
		return a, bad("%sprivate key is missing: give the PEM in auth.private_key or its path in auth.private_key_file", where)
	case a.PrivateKey != "" && a.PrivateKeyFile != "":
		return a, bad("%sboth private_key and private_key_file are given: keep one of the two", where)
	}
	return a, nil
}

var fingerprintForm = regexp.MustCompile(`^([0-9a-f]{2}:){15}[0-9a-f]{2}$`)

func ocid(s, kind string) bool {
	return strings.HasPrefix(s, "ocid1."+kind+".") && len(s) < 256 && !strings.ContainsAny(s, " \t\r\n\"/\\")
}

// readKeyFile reads a private key that only its owner, or its owner's group, may read.
func readKeyFile(path string) (string, error) {
	bad := func(format string, args ...any) error {
		return &Error{Kind: BadKeyFile, Sentence: fmt.Sprintf(format, args...)}
	}
	path = expand(path)
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return "", bad("the key file %s does not exist: correct auth.private_key_file, or key_file in the profile", path)
	case err != nil:
		return "", bad("the key file %s cannot be read (%v): make it readable for the user that runs this program, for example with `chown $(id -un) %s`", path, err, path)
	case info.IsDir():
		return "", bad("the key file %s is a folder: name the file in it", path)
	case info.Size() > 1<<20:
		return "", bad("the key file %s holds %d bytes, so it is no key: correct auth.private_key_file", path, info.Size())
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o007 != 0:
		return "", bad("the key file %s may be read by every user of this machine (mode %04o), so it is not used: run `chmod 600 %s`", path, info.Mode().Perm(), path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", bad("the key file %s cannot be read (%v): make it readable for the user that runs this program, for example with `chown $(id -un) %s`", path, err, path)
	}
	return string(text), nil
}

// readProfile reads one section of a config file; what it lacks comes from DEFAULT, as with Oracle's own tools.
func readProfile(path, profile string) (map[string]string, error) {
	bad := func(format string, args ...any) error {
		return &Error{Kind: BadConfig, Sentence: fmt.Sprintf(format, args...)}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, bad("the config file %s cannot be read (%v): correct auth.config_file, or give the API key in auth itself", path, err)
	}
	values, found, section := map[string]string{}, false, "DEFAULT"
	var own map[string]string
	for n, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(strings.TrimPrefix(line, "\ufeff"))
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		if line[0] == '[' && line[len(line)-1] == ']' {
			section = strings.TrimSpace(line[1 : len(line)-1])
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return nil, bad("%s:%d: a line must be key=value or [PROFILE]", path, n+1)
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if section == profile {
			found = true
			if own == nil {
				own = map[string]string{}
			}
			own[key] = value
			continue
		}
		if section == "DEFAULT" {
			values[key] = value
		}
	}
	if !found {
		return nil, bad("the config file %s has no profile [%s] with anything in it: correct auth.profile", path, profile)
	}
	maps.Copy(values, own)
	return values, nil
}

// expand replaces a leading ~ by the home directory.
func expand(path string) string {
	if path != "~" && !strings.HasPrefix(path, "~/") {
		return path
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return path
	}
	return filepath.Join(home, strings.TrimPrefix(path, "~"))
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
