package normalize

// class is a class of OCSF with the captions of its activities.
type class struct {
	uid          int64
	name         string
	category     int64
	categoryName string
	activities   map[int64]string
}

const otherActivity = 99

var (
	crud    = map[int64]string{0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", otherActivity: "Other"}
	finding = map[int64]string{0: "Unknown", 1: "Create", 2: "Update", 3: "Close", otherActivity: "Other"}
)

const (
	categoryFindings = "Findings"
	categoryIAM      = "Identity & Access Management"
)

var (
	baseEvent         = &class{0, "Base Event", 0, "Uncategorized", map[int64]string{0: "Unknown", otherActivity: "Other"}}
	complianceFinding = &class{2003, "Compliance Finding", 2, categoryFindings, finding}
	detectionFinding  = &class{2004, "Detection Finding", 2, categoryFindings, finding}
	accountChange     = &class{3001, "Account Change", 3, categoryIAM, map[int64]string{
		0: "Unknown", 1: "Create", 2: "Enable", 3: "Password Change", 4: "Password Reset", 5: "Disable", 6: "Delete",
		7: "Attach Policy", 8: "Detach Policy", 9: "Lock", 10: "MFA Factor Enable", 11: "MFA Factor Disable", 12: "Unlock",
		otherActivity: "Other",
	}}
	authentication = &class{3002, "Authentication", 3, categoryIAM, map[int64]string{
		0: "Unknown", 1: "Logon", 2: "Logoff", 3: "Authentication Ticket", 4: "Service Ticket Request",
		5: "Service Ticket Renew", 6: "Preauth", 7: "Account Switch", otherActivity: "Other",
	}}
	entityManagement = &class{3004, "Entity Management", 3, categoryIAM, map[int64]string{
		0: "Unknown", 1: "Create", 2: "Read", 3: "Update", 4: "Delete", 5: "Move", 6: "Enroll", 7: "Unenroll", 8: "Enable",
		9: "Disable", 10: "Activate", 11: "Deactivate", 12: "Suspend", 13: "Resume", otherActivity: "Other",
	}}
	userAccess = &class{3005, "User Access Management", 3, categoryIAM, map[int64]string{
		0: "Unknown", 1: "Assign Privileges", 2: "Revoke Privileges", otherActivity: "Other",
	}}
	groupManagement = &class{3006, "Group Management", 3, categoryIAM, map[int64]string{
		0: "Unknown", 1: "Assign Privileges", 2: "Revoke Privileges", 3: "Add User", 4: "Remove User", 5: "Delete",
		6: "Create", 7: "Add Subgroup", 8: "Remove Subgroup", otherActivity: "Other",
	}}
	networkActivity = &class{4001, "Network Activity", 4, "Network Activity", map[int64]string{
		0: "Unknown", 1: "Open", 2: "Close", 3: "Reset", 4: "Fail", 5: "Refuse", 6: "Traffic", 7: "Listen", otherActivity: "Other",
	}}
	apiActivity = &class{6003, "API Activity", 6, "Application Activity", crud}
)

// deed is a class with one of its activities.
type deed struct {
	class    *class
	activity int64
	// other names the activity where OCSF has no number for it.
	other string
}

func (d deed) activityName() string {
	if d.activity == otherActivity && d.other != "" {
		return d.other
	}
	return d.class.activities[d.activity]
}

// facts gives the fields that follow from the deed, by their names at the top level of the document.
func (d deed) facts() map[string]any {
	return map[string]any{
		"category_uid":  d.class.category,
		"category_name": d.class.categoryName,
		"class_uid":     d.class.uid,
		"class_name":    d.class.name,
		"activity_id":   d.activity,
		"activity_name": d.activityName(),
		"type_uid":      d.class.uid*100 + d.activity,
		"type_name":     typeNames[d.class.uid*100+d.activity],
	}
}

// write sets the same in a document.
func (d deed) write(doc *object) {
	doc.whole("category_uid", d.class.category)
	doc.text("category_name", d.class.categoryName)
	doc.whole("class_uid", d.class.uid)
	doc.text("class_name", d.class.name)
	doc.whole("activity_id", d.activity)
	doc.text("activity_name", d.activityName())
	doc.whole("type_uid", d.class.uid*100+d.activity)
	doc.text("type_name", typeNames[d.class.uid*100+d.activity])
}

// typeNames are the captions of type_uid.
var typeNames = func() map[int64]string {
	names := map[int64]string{}
	for _, c := range []*class{
		baseEvent, complianceFinding, detectionFinding, accountChange, authentication, entityManagement, userAccess, groupManagement,
		networkActivity, apiActivity,
	} {
		for id, activity := range c.activities {
			names[c.uid*100+id] = c.name + ": " + activity
		}
	}
	return names
}()

const (
	severityUnknown       = 0
	severityInformational = 1
	severityLow           = 2
	severityMedium        = 3
	severityHigh          = 4
	severityCritical      = 5
	severityOther         = 99
)

var severityNames = map[int64]string{
	severityUnknown: "Unknown", severityInformational: "Informational", severityLow: "Low", severityMedium: "Medium",
	severityHigh: "High", severityCritical: "Critical", severityOther: "Other",
}

// setSeverity writes the severity and its caption.
func setSeverity(doc *object, id int64) {
	doc.whole("severity_id", id)
	doc.text("severity", severityNames[id])
}

// setStatusID writes the status and its caption.
func setStatusID(doc *object, id int64) {
	doc.whole("status_id", id)
	doc.text("status", statusNames[id])
}

const (
	statusUnknown = 0
	statusSuccess = 1
	statusFailure = 2
)

var statusNames = map[int64]string{statusUnknown: "Unknown", statusSuccess: "Success", statusFailure: "Failure"}
