package all

import (
	"cmp"
	"runtime/debug"
)

// stamped is the version that the Makefile gives the linker; empty in other builds.
var stamped string

// Version gives the version of the program and the time of its commit, as the build stamped them.
func Version() (version, built string) {
	version, built = cmp.Or(stamped, "(devel)"), "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, built
	}
	if stamped == "" && info.Main.Version != "" {
		version = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			built = s.Value
		}
	}
	return version, built
}
