package all

import "runtime/debug"

// Version gives the version of the program and the time of its commit, as the build stamped them.
func Version() (version, built string) {
	version, built = "(devel)", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, built
	}
	if info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			built = s.Value
		}
	}
	return version, built
}
