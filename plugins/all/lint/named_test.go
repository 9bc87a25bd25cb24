package lint

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	// Their fields are linted.
	_ "benthos-oci/plugins/correlate"
	_ "benthos-oci/plugins/oci_audit"
	_ "benthos-oci/plugins/oci_cloudguard"
)

// badRule has a mistake at 6:9.
const badRule = `id: bad
title: Bad
status: experimental
severity: low
description: Detects nothing.
match: {api.operaton: UploadApiKey}
incident: {title: "bad"}
`

const listRule = `id: listed
title: Listed
status: experimental
severity: low
description: Detects what an administrator does.
match: {actor.user.name|expand: '%admins%'}
incident: {title: "listed"}
`

// head makes a correlate of fields, in a config that is whole.
func head(fields string) string {
	return "input: {generate: {mapping: 'root = {}'}}\npipeline:\n  processors:\n    - correlate:\n" + fields + "output: {drop: {}}\n"
}

func TestWhatAConfigNamesMustBeThere(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"all is there", map[string]string{
			"c.yaml":          head("        rule_files: [./rules/*.yaml]\n        overrides: [./overrides.yaml]\n        lists: {admins: ./admins.txt}\n        state_cache: state\n") + "cache_resources: [{label: state, memory: {}}]\n",
			"rules/demo.yaml": demo, "rules/listed.yaml": listRule, "admins.txt": "alice\n",
			"overrides.yaml": "rules: {demo: {severity: high}}\n",
		}, nil},
		{"there is no such rule file", map[string]string{
			"c.yaml": head("        rule_files:\n          - ./rules/*.yaml\n          - ./one.yaml\n"),
		}, []string{
			"c.yaml:6:13: rule_files: no rule file matches ./rules/*.yaml, from here or from the folder of this config",
			"c.yaml:7:13: rule_files: no rule file matches ./one.yaml, from here or from the folder of this config",
		}},
		{"a rule with a mistake that is not linted by itself", map[string]string{
			"c.yaml":         head("        rule_files: [./_more/bad.yaml]\n"),
			"_more/bad.yaml": badRule,
		}, []string{`_more/bad.yaml:6:9: unknown field "api.operaton": did you mean "api.operation"?`}},
		{"a rule with a mistake is told once", map[string]string{
			"c.yaml":   head("        rule_files: [./bad.yaml]\n"),
			"bad.yaml": badRule,
		}, []string{`bad.yaml:6:9: unknown field "api.operaton": did you mean "api.operation"?`}},
		{"two rules of one id, one in place", map[string]string{
			"c.yaml":    head("        rule_files: [./demo.yaml]\n        rules:\n          - id: demo\n            title: Demo\n            status: experimental\n            severity: low\n            description: Detects a demo.\n            match: {api.operation: UploadApiKey}\n            incident: {title: demo}\n"),
			"demo.yaml": demo,
		}, []string{`c.yaml:7:13: the id "demo" is taken: it is also that of the rule at demo.yaml:1:1`}},
		{"overrides that are not there, and of a rule that is not there", map[string]string{
			"c.yaml":       head("        rule_files: [./demo.yaml]\n        overrides:\n          - ./none.yaml\n"),
			"d.yaml":       head("        rule_files: [./demo.yaml]\n        overrides: [./_more/o.yaml]\n"),
			"demo.yaml":    demo,
			"_more/o.yaml": "rules: {demoo: {severity: high}}\n",
		}, []string{
			"c.yaml:7:13: overrides: reading the file: there is no ./none.yaml, from here or from the folder of this config",
			`_more/o.yaml:1:9: unknown rule "demoo": did you mean "demo"?`,
		}},
		{"lists that are not there, that nobody gives, and that are broken", map[string]string{
			"c.yaml":           head("        rule_files: [./listed.yaml]\n        lists:\n          admins: ./admins.txt\n"),
			"d.yaml":           head("        rule_files: [./listed.yaml]\n"),
			"e.yaml":           head("        rule_files: [./listed.yaml]\n        lists: {admins: ./_more/admins.txt}\n"),
			"listed.yaml":      listRule,
			"_more/admins.txt": "a\n\xff\n",
		}, []string{
			"c.yaml:7:19: lists.admins: reading the file: there is no ./admins.txt, from here or from the folder of this config",
			"d.yaml:4:7: rule listed uses the list %admins%, which `lists` does not have: write `lists: {admins: ./admins.txt}`",
			"_more/admins.txt:2:1: the value is not valid UTF-8",
		}},
		{"a cache that is not there", map[string]string{
			"c.yaml":    head("        rule_files: [./demo.yaml]\n        state_cache: stat\n") + "cache_resources: [{label: state, memory: {}}]\n",
			"demo.yaml": demo,
		}, []string{`c.yaml:6:22: state_cache: no cache resource is labeled "stat": add one under cache_resources, or lint the file that has it as well`}},
		{"a cache of another linted file", map[string]string{
			"c.yaml":    head("        rule_files: [./demo.yaml]\n        state_cache: state\n"),
			"r.yaml":    "cache_resources: [{label: state, memory: {}}]\n",
			"demo.yaml": demo,
		}, nil},
		{"a fragment may get its caches from elsewhere", map[string]string{
			"c.yaml":    "pipeline:\n  processors:\n    - correlate: {rule_files: [./demo.yaml], state_cache: state}\n",
			"demo.yaml": demo,
		}, nil},
		{"names that come from the environment", map[string]string{
			"c.yaml":    head("        rule_files: [\"${NOT_SET_AT_ALL:./demo.yaml}\"]\n        state_cache: \"${NOT_SET_AT_ALL:state}\"\n"),
			"demo.yaml": demo,
		}, []string{`c.yaml:6:22: state_cache: no cache resource is labeled "state": add one under cache_resources, or lint the file that has it as well`}},
		{"files beside the config, or above it", map[string]string{
			"config/a/c.yaml":        head("        rule_files: [./rules/demo.yaml, ./near.yaml]\n"),
			"config/a/near.yaml":     listlessRule,
			"config/rules/demo.yaml": demo,
		}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lintFiles(t, test.files)); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

const listlessRule = `id: near
title: Near
status: experimental
severity: low
description: Detects a demo.
match: {api.operation: DeleteApiKey}
incident: {title: "near"}
`

func TestInputsThatShareTheirKeysAreTold(t *testing.T) {
	config := func(inputs string) map[string]string {
		return map[string]string{"c.yaml": "input:\n  broker:\n    inputs:\n" + inputs + "output: {drop: {}}\ncache_resources: [{label: state, memory: {}}, {label: other, memory: {}}]\n"}
	}
	const told = `c.yaml:5:9: oci_audit keeps its position in cache "state" under the same keys as the one at line 4, and only one of the two can start: set checkpoint_key on one of them`
	for _, test := range []struct {
		name, first, second string
		want                []string
	}{
		{"the same", "oci_audit: {auth: {profile: A}, checkpoint_cache: state}", "oci_audit: {auth: {profile: A}, checkpoint_cache: state, start: -30d}", []string{told}},
		{"no auth at all", "oci_audit: {checkpoint_cache: state}", "oci_audit: {checkpoint_cache: state}", []string{told}},
		{"the same key", "oci_cloudguard: {auth: {profile: B}, checkpoint_cache: state, checkpoint_key: k}", "oci_audit: {auth: {profile: A}, checkpoint_cache: state, checkpoint_key: k}", []string{told}},
		{"another key", "oci_audit: {checkpoint_cache: state}", "oci_audit: {checkpoint_cache: state, checkpoint_key: k}", nil},
		{"another tenancy", "oci_audit: {auth: {profile: A}, checkpoint_cache: state}", "oci_audit: {auth: {profile: B}, checkpoint_cache: state}", nil},
		{"another input", "oci_cloudguard: {auth: {profile: A}, checkpoint_cache: state}", "oci_audit: {auth: {profile: A}, checkpoint_cache: state}", nil},
		{"another cache", "oci_audit: {checkpoint_cache: state}", "oci_audit: {checkpoint_cache: other}", nil},
		{"in memory", "oci_audit: {auth: {profile: A}}", "oci_audit: {auth: {profile: A}}", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, lintFiles(t, config("      - "+test.first+"\n      - "+test.second+"\n"))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
