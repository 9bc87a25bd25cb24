package rule

import (
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// tactics of MITRE ATT&CK for the enterprise, as Sigma writes them; both _ and - are read.
var tactics = []string{
	"reconnaissance", "resource-development", "initial-access", "execution", "persistence", "privilege-escalation", "defense-evasion",
	"credential-access", "discovery", "lateral-movement", "collection", "command-and-control", "exfiltration", "impact",
	"stealth", "defense-impairment",
}

var (
	attackPattern = regexp.MustCompile(`^(t\d{4}(\.\d{3})?|[gs]\d{4}|ta\d{4}|ds\d{4})$`)
	attackNumber  = regexp.MustCompile(`^[tgs][a]?\d`)
	tagPattern    = regexp.MustCompile(`^[a-z0-9_-]+(\.[a-z0-9_.-]+)+$`)
)

// tags reads Sigma's tags: attack.<tactic>, attack.t1098.001, and any other namespace.name.
func (d *document) tags(n *yaml.Node) []string {
	var list []string
	if n.Kind != yaml.SequenceNode {
		d.errorf(n, "tags is a list such as [attack.persistence, attack.t1098.001], not %s", kindOf(n))
		return nil
	}
	for _, item := range n.Content {
		tag, ok := d.text(item, "a tag")
		if !ok {
			continue
		}
		list = append(list, tag)
		name, isAttack := strings.CutPrefix(tag, "attack.")
		switch {
		case !tagPattern.MatchString(tag):
			d.errorf(item, "the tag %q is not of the form namespace.name in lower case, as attack.t1098.001", shorten(tag))
		case !isAttack || attackPattern.MatchString(name):
		case attackNumber.MatchString(name):
			d.errorf(item, "the tag %q is no number of ATT&CK: a technique is attack.t1098, or attack.t1098.001 with its sub-technique", tag)
		default:
			if tactic := strings.ReplaceAll(name, "_", "-"); !slices.Contains(tactics, tactic) {
				d.errorf(item, "the tag %q is no tactic of ATT&CK%s", tag, didYouMean(tactic, tactics))
			}
		}
	}
	return list
}
