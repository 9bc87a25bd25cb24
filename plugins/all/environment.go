package all

import (
	"encoding/base64"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// Interpolations as Benthos writes them: ${NAME}, ${NAME:default}, ${NAME|base64decode}; ${{NAME}} stands for ${NAME} itself.
var (
	interpolation = regexp.MustCompile(`\${[0-9A-Za-z_.]+(:((\${[^}]+})|[^}])*)?(?:\|[0-9A-Za-z]+)?}`)
	escaped       = regexp.MustCompile(`\${({[0-9A-Za-z_.]+(:((\${[^}]+})|[^}])*)?})}`)
)

// withEnvironment replaces environment variables in a config as Benthos does when it runs the config.
// Benthos does this itself wherever it reads a config, but gives secrets away to nobody who walks one.
func withEnvironment(config string) (string, error) {
	var missing []string
	var failed error
	replaced := interpolation.ReplaceAllStringFunc(config, func(found string) string {
		inner := found[len("${") : len(found)-len("}")]
		name, otherwise, hasDefault := strings.Cut(inner, ":")
		rest := &name
		if hasDefault {
			rest = &otherwise
		}
		decode := ""
		if i := strings.LastIndexByte(*rest, '|'); i >= 0 {
			*rest, decode = (*rest)[:i], (*rest)[i+1:]
		}
		value, ok := os.LookupEnv(name)
		switch {
		case !ok && !hasDefault:
			missing = append(missing, name)
		case value == "":
			value = otherwise
		}
		if decode == "base64decode" {
			plain, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				failed = fmt.Errorf("decoding the environment variable %s: %w", name, err)
			}
			value = string(plain)
		}
		return strings.ReplaceAll(value, "\n", `\n`)
	})
	if len(missing) > 0 {
		return "", fmt.Errorf("the config needs the environment variables %s, and they are not set", strings.Join(missing, ", "))
	}
	return escaped.ReplaceAllString(replaced, "$$$1"), failed
}

// literal writes a config whose variables were replaced so that Benthos, which replaces variables in what it reads, changes nothing in it.
func literal(config string) string {
	return interpolation.ReplaceAllStringFunc(config, func(found string) string { return "${" + found[len("$"):] + "}" })
}
