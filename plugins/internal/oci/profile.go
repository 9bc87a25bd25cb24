package oci

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

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

// readTokenFile reads a small file that holds a token; what names it in errors.
func readTokenFile(what, path string) (string, error) {
	path = expand(path)
	bad := func(format string, args ...any) error {
		return &Error{Kind: BadToken, Sentence: fmt.Sprintf(format, args...)}
	}
	info, err := os.Stat(path)
	switch {
	case os.IsNotExist(err):
		return "", bad("the file %s (%s) does not exist: correct its path, or let what makes it run first", path, what)
	case err != nil:
		return "", bad("the file %s (%s) cannot be read (%v): make it readable for the user that runs this program", path, what, err)
	case info.IsDir() || info.Size() > 1<<20:
		return "", bad("%s (%s) is a folder or too large, so it is not what is meant: correct its path", path, what)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", bad("the file %s (%s) cannot be read (%v): make it readable for the user that runs this program", path, what, err)
	}
	return string(text), nil
}
