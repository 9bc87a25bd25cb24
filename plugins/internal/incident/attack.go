package incident

import (
	"slices"
	"strings"

	"benthos-oci/plugins/internal/rule"
)

// attackVersion is the version of MITRE ATT&CK that the names are of.
const attackVersion = "18.1"

// tactic is one of ATT&CK's, by the name that tags give it.
type tactic struct{ uid, name string }

var tactics = map[string]tactic{
	"reconnaissance":       {"TA0043", "Reconnaissance"},
	"resource_development": {"TA0042", "Resource Development"},
	"initial_access":       {"TA0001", "Initial Access"},
	"execution":            {"TA0002", "Execution"},
	"persistence":          {"TA0003", "Persistence"},
	"privilege_escalation": {"TA0004", "Privilege Escalation"},
	"defense_evasion":      {"TA0005", "Defense Evasion"},
	"credential_access":    {"TA0006", "Credential Access"},
	"discovery":            {"TA0007", "Discovery"},
	"lateral_movement":     {"TA0008", "Lateral Movement"},
	"collection":           {"TA0009", "Collection"},
	"command_and_control":  {"TA0011", "Command and Control"},
	"exfiltration":         {"TA0010", "Exfiltration"},
	"impact":               {"TA0040", "Impact"},
}

// technique is one of ATT&CK's, with the tactics it serves; those of a sub-technique are its parent's where none are named.
type technique struct {
	name    string
	tactics string
}

// techniques are those that concern clouds, and their parents. Tags may name others: they are given without a name.
var techniques = map[string]technique{
	"T1020":     {"Automated Exfiltration", "exfiltration"},
	"T1021":     {"Remote Services", "lateral_movement"},
	"T1021.004": {"SSH", ""},
	"T1021.007": {"Cloud Services", ""},
	"T1021.008": {"Direct Cloud VM Connections", ""},
	"T1040":     {"Network Sniffing", "credential_access discovery"},
	"T1046":     {"Network Service Discovery", "discovery"},
	"T1048":     {"Exfiltration Over Alternative Protocol", "exfiltration"},
	"T1049":     {"System Network Connections Discovery", "discovery"},
	"T1059":     {"Command and Scripting Interpreter", "execution"},
	"T1059.009": {"Cloud API", ""},
	"T1069":     {"Permission Groups Discovery", "discovery"},
	"T1069.003": {"Cloud Groups", ""},
	"T1070":     {"Indicator Removal", "defense_evasion"},
	"T1074":     {"Data Staged", "collection"},
	"T1074.002": {"Remote Data Staging", ""},
	"T1078":     {"Valid Accounts", "initial_access persistence privilege_escalation defense_evasion"},
	"T1078.001": {"Default Accounts", ""},
	"T1078.004": {"Cloud Accounts", ""},
	"T1087":     {"Account Discovery", "discovery"},
	"T1087.004": {"Cloud Account", ""},
	"T1090":     {"Proxy", "command_and_control"},
	"T1098":     {"Account Manipulation", "persistence privilege_escalation"},
	"T1098.001": {"Additional Cloud Credentials", ""},
	"T1098.003": {"Additional Cloud Roles", ""},
	"T1098.004": {"SSH Authorized Keys", ""},
	"T1098.005": {"Device Registration", ""},
	"T1098.006": {"Additional Container Cluster Roles", ""},
	"T1110":     {"Brute Force", "credential_access"},
	"T1110.001": {"Password Guessing", ""},
	"T1110.002": {"Password Cracking", ""},
	"T1110.003": {"Password Spraying", ""},
	"T1110.004": {"Credential Stuffing", ""},
	"T1119":     {"Automated Collection", "collection"},
	"T1133":     {"External Remote Services", "initial_access persistence"},
	"T1136":     {"Create Account", "persistence"},
	"T1136.003": {"Cloud Account", ""},
	"T1190":     {"Exploit Public-Facing Application", "initial_access"},
	"T1199":     {"Trusted Relationship", "initial_access"},
	"T1204":     {"User Execution", "execution"},
	"T1204.003": {"Malicious Image", ""},
	"T1212":     {"Exploitation for Credential Access", "credential_access"},
	"T1213":     {"Data from Information Repositories", "collection"},
	"T1484":     {"Domain or Tenant Policy Modification", "privilege_escalation defense_evasion"},
	"T1484.002": {"Trust Modification", ""},
	"T1485":     {"Data Destruction", "impact"},
	"T1485.001": {"Lifecycle-Triggered Deletion", ""},
	"T1486":     {"Data Encrypted for Impact", "impact"},
	"T1489":     {"Service Stop", "impact"},
	"T1490":     {"Inhibit System Recovery", "impact"},
	"T1491":     {"Defacement", "impact"},
	"T1496":     {"Resource Hijacking", "impact"},
	"T1496.001": {"Compute Hijacking", ""},
	"T1498":     {"Network Denial of Service", "impact"},
	"T1499":     {"Endpoint Denial of Service", "impact"},
	"T1518":     {"Software Discovery", "discovery"},
	"T1525":     {"Implant Internal Image", "persistence"},
	"T1526":     {"Cloud Service Discovery", "discovery"},
	"T1528":     {"Steal Application Access Token", "credential_access"},
	"T1530":     {"Data from Cloud Storage", "collection"},
	"T1531":     {"Account Access Removal", "impact"},
	"T1535":     {"Unused/Unsupported Cloud Regions", "defense_evasion"},
	"T1537":     {"Transfer Data to Cloud Account", "exfiltration"},
	"T1538":     {"Cloud Service Dashboard", "discovery"},
	"T1548":     {"Abuse Elevation Control Mechanism", "privilege_escalation defense_evasion"},
	"T1548.005": {"Temporary Elevated Cloud Access", ""},
	"T1550":     {"Use Alternate Authentication Material", "defense_evasion lateral_movement"},
	"T1550.001": {"Application Access Token", ""},
	"T1552":     {"Unsecured Credentials", "credential_access"},
	"T1552.001": {"Credentials In Files", ""},
	"T1552.005": {"Cloud Instance Metadata API", ""},
	"T1552.007": {"Container API", ""},
	"T1555":     {"Credentials from Password Stores", "credential_access"},
	"T1555.006": {"Cloud Secrets Management Stores", ""},
	"T1556":     {"Modify Authentication Process", "credential_access defense_evasion persistence"},
	"T1556.006": {"Multi-Factor Authentication", ""},
	"T1556.007": {"Hybrid Identity", ""},
	"T1556.009": {"Conditional Access Policies", ""},
	"T1562":     {"Impair Defenses", "defense_evasion"},
	"T1562.001": {"Disable or Modify Tools", ""},
	"T1562.007": {"Disable or Modify Cloud Firewall", ""},
	"T1562.008": {"Disable or Modify Cloud Logs", ""},
	"T1565":     {"Data Manipulation", "impact"},
	"T1567":     {"Exfiltration Over Web Service", "exfiltration"},
	"T1567.002": {"Exfiltration to Cloud Storage", ""},
	"T1578":     {"Modify Cloud Compute Infrastructure", "defense_evasion"},
	"T1578.001": {"Create Snapshot", ""},
	"T1578.002": {"Create Cloud Instance", ""},
	"T1578.003": {"Delete Cloud Instance", ""},
	"T1578.004": {"Revert Cloud Instance", ""},
	"T1578.005": {"Modify Cloud Compute Configurations", ""},
	"T1580":     {"Cloud Infrastructure Discovery", "discovery"},
	"T1609":     {"Container Administration Command", "execution"},
	"T1610":     {"Deploy Container", "defense_evasion execution"},
	"T1613":     {"Container and Resource Discovery", "discovery"},
	"T1619":     {"Cloud Storage Object Discovery", "discovery"},
	"T1621":     {"Multi-Factor Authentication Request Generation", "credential_access"},
	"T1648":     {"Serverless Execution", "execution"},
	"T1651":     {"Cloud Administration Command", "execution"},
	"T1657":     {"Financial Theft", "impact"},
	"T1666":     {"Modify Cloud Resource Hierarchy", "defense_evasion"},
}

// tags gives the rule's tags, then those of its patterns, each once.
func tags(r *rule.Rule) []string {
	var all []string
	add := func(list []string) {
		for _, t := range list {
			if !slices.Contains(all, t) {
				all = append(all, t)
			}
		}
	}
	add(r.Tags)
	for _, p := range r.Patterns {
		add(p.Tags)
	}
	return all
}

// attacks gives the ATT&CK entries of a rule: one for each technique that is tagged, with the tagged tactic that it serves,
// and one for each tactic that no technique stands for.
func attacks(all []string) []any {
	var named []string // tactics in the order of the tags
	var ids []string
	for _, tag := range all {
		name, ok := strings.CutPrefix(strings.ToLower(tag), "attack.")
		if !ok {
			continue
		}
		switch id := strings.ToUpper(name); {
		case isTechnique(id):
			ids = append(ids, id)
		default:
			if name = strings.ReplaceAll(name, "-", "_"); tactics[name].uid != "" {
				named = append(named, name)
			}
		}
	}
	var list []any
	used := map[string]bool{}
	for _, id := range ids {
		entry, serves := attack(id, named)
		for _, s := range serves {
			used[s] = true
		}
		list = append(list, entry)
	}
	for _, name := range named {
		if !used[name] {
			list = append(list, map[string]any{"version": attackVersion, "tactic": tacticOf(name)})
		}
	}
	return list
}

// isTechnique is true for T and four digits, and for those with a dot and three more.
func isTechnique(id string) bool {
	if len(id) != 5 && (len(id) != 9 || id[5] != '.') || id[0] != 'T' {
		return false
	}
	for i := 1; i < len(id); i++ {
		if i != 5 && (id[i] < '0' || id[i] > '9') {
			return false
		}
	}
	return true
}

func tacticOf(name string) map[string]any {
	return map[string]any{"uid": tactics[name].uid, "name": tactics[name].name}
}

// attack gives the entry of one technique, and the tagged tactics that it stands for.
func attack(id string, named []string) (entry map[string]any, serves []string) {
	parent := id[:5]
	entry = map[string]any{"version": attackVersion, "technique": techniqueOf(parent)}
	of := techniques[id].tactics
	if id != parent {
		entry["sub_technique"] = techniqueOf(id)
		if of == "" {
			of = techniques[parent].tactics
		}
	}
	known := strings.Fields(of)
	for _, name := range named {
		if slices.Contains(known, name) || len(known) == 0 {
			serves = append(serves, name)
		}
	}
	switch {
	case len(serves) > 0:
		entry["tactic"] = tacticOf(serves[0])
	case len(known) == 1:
		entry["tactic"] = tacticOf(known[0])
	}
	if len(serves) > 1 {
		all := make([]any, len(serves))
		for i, name := range serves {
			all[i] = tacticOf(name)
		}
		entry["tactics"] = all
	}
	return entry, serves
}

func techniqueOf(id string) map[string]any {
	out := map[string]any{"uid": id}
	if name := techniques[id].name; name != "" {
		out["name"] = name
	}
	return out
}
