package event

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Operation is one that OCI's audit events are known to report.
type Operation struct {
	// Service and Name are the last words of the event type, spelled as the Audit API spells them.
	Service, Name string
	// Paired is true where an operation that takes time is reported twice, with .begin and .end behind its type.
	Paired bool
}

// Type gives the event type without .begin or .end.
func (o Operation) Type() string { return typePrefix + o.Service + "." + o.Name }

const typePrefix = "com.oraclecloud."

// OperationOfType gives the known operation of an event type, without regard to case and to .begin or .end behind it.
// What Cloud Guard reports of itself is known, but is no operation: it has no name.
func OperationOfType(eventType string) (Operation, bool) {
	o, ok := catalog().byType[withoutPhase(strings.ToLower(eventType))]
	return o, ok
}

// KnownOperation tells whether events of that name are known to exist: the name of an operation (`UploadApiKey`),
// of an event of an identity domain (`sso.session.create.success`), or a whole event type. Case does not count.
// What is not known may exist all the same: it deserves a warning, not an error.
func KnownOperation(name string) bool {
	lower := withoutPhase(strings.ToLower(name))
	c := catalog()
	if _, ok := c.byType[lower]; ok {
		return true
	}
	return c.names[lower] != ""
}

// NearestOperation gives the known name that is most like name, in the form that name has, or "".
func NearestOperation(name string) string {
	lower := strings.ToLower(name)
	c := catalog()
	if strings.HasPrefix(lower, typePrefix) {
		if found := nearest(lower, c.lowerTypes); found != "" {
			return c.byType[found].typeOrProblem(found)
		}
		return ""
	}
	return c.names[nearest(lower, c.lowerNames)]
}

// typeOrProblem gives the event type in the API's spelling; problems of Cloud Guard are no operations.
func (o Operation) typeOrProblem(lower string) string {
	if o.Name == "" {
		return lower
	}
	return o.Type()
}

// KnownTypes gives the event types that are known, spelled as the Audit API spells them, sorted.
func KnownTypes() []string {
	c := catalog()
	types := make([]string, 0, len(c.byType))
	for lower, o := range c.byType {
		types = append(types, o.typeOrProblem(lower))
	}
	slices.Sort(types)
	return types
}

// DomainEvents gives the known names of events of identity domains, sorted. They stand in `api.operation`.
func DomainEvents() []string {
	names := strings.Fields(domainEvents)
	slices.Sort(names)
	return names
}

// Paired tells whether the operation of that name or type is reported at its begin and at its end.
func Paired(name string) bool {
	lower := withoutPhase(strings.ToLower(name))
	c := catalog()
	if o, ok := c.byType[lower]; ok {
		return o.Paired
	}
	return c.paired[lower]
}

func withoutPhase(lower string) string {
	return strings.TrimSuffix(strings.TrimSuffix(lower, ".begin"), ".end")
}

type operations struct {
	byType     map[string]Operation
	names      map[string]string // lower case to spelling: operations and domain events
	paired     map[string]bool
	lowerTypes []string
	lowerNames []string
}

var catalog = sync.OnceValue(func() operations {
	c := operations{byType: map[string]Operation{}, names: map[string]string{}, paired: map[string]bool{}}
	for service, names := range serviceOperations {
		for name := range strings.FieldsSeq(names) {
			name, paired := strings.CutSuffix(name, "+")
			o := Operation{Service: service, Name: name, Paired: paired}
			c.byType[strings.ToLower(o.Type())] = o
			lower := strings.ToLower(name)
			// Services that spell a name differently: the spelling that sorts first, so that it is always the same.
			if was, ok := c.names[lower]; !ok || name < was {
				c.names[lower] = name
			}
			c.paired[lower] = c.paired[lower] || paired
		}
	}
	for problem := range strings.FieldsSeq(problemEvents) {
		c.byType[typePrefix+"cloudguard."+problem] = Operation{}
	}
	for _, name := range DomainEvents() {
		c.names[name] = name
	}
	c.lowerTypes = slices.Sorted(maps.Keys(c.byType))
	c.lowerNames = slices.Sorted(maps.Keys(c.names))
	return c
})

// problemEvents are the types by which Cloud Guard reports through the Events service.
const problemEvents = `problemdetected problemdismissed problemremediated problemthresholdreached announcements status`

// domainEvents are events of identity domains.
const domainEvents = `
sso.session.create.success sso.session.create.failure sso.session.modify.success sso.session.delete.success
sso.authentication.failure sso.app.access.success sso.app.access.failure sso.auth.factor.initiated
sso.bypasscode.create.success sso.bypasscode.delete.success
admin.authentication.success admin.authentication.failure idcs.login.success idcs.login.failure
admin.user.create.success admin.user.create.failure admin.user.update.success admin.user.update.failure
admin.user.delete.success admin.user.delete.failure admin.user.activated.success admin.user.deactivated.success
admin.user.locked.success admin.user.unlocked.success
admin.user.password.reset.success admin.user.password.change.success admin.me.password.change.success admin.me.password.reset.success
admin.me.register.success admin.myrequest.create.success
admin.group.create.success admin.group.update.success admin.group.delete.success
admin.group.add.member.success admin.group.remove.member.success
admin.app.create.success admin.app.update.success admin.app.delete.success admin.app.activated.success
admin.approle.add.member.success admin.approle.remove.member.success
admin.policy.create.success admin.policy.update.success admin.policy.delete.success
admin.rule.create.success admin.rule.update.success admin.rule.delete.success
admin.identityprovider.create.success admin.identityprovider.update.success admin.identityprovider.delete.success
admin.authenticationfactor.create.success admin.authenticationfactor.update.success admin.authenticationfactor.delete.success
admin.grant.create.success admin.grant.delete.success
admin.passwordpolicy.create.success admin.passwordpolicy.update.success admin.app.deactivated.success
admin.me.password.change.failure admin.account.create.success admin.account.delete.success
idbridge.sync.success idbridge.sync.failure
notification.delivery.success notification.delivery.failure`

// serviceOperations are the operations of each service; + marks those that are reported at their begin and end.
var serviceOperations = map[string]string{
	"IdentitySignOn": `InteractiveLogin LoginSessionRefresh ReceiveSamlSpSsoResponse Logout InteractiveLogout`,
	"ConsoleSignOn":  `Login Logout`,
	"identityControlPlane": `
UploadApiKey DeleteApiKey ListApiKeys CreateAuthToken UpdateAuthToken DeleteAuthToken ListAuthTokens
CreateSwiftPassword UpdateSwiftPassword DeleteSwiftPassword
CreateCustomerSecretKey UpdateCustomerSecretKey DeleteCustomerSecretKey ListCustomerSecretKeys
CreateSmtpCredential UpdateSmtpCredential DeleteSmtpCredential ListSmtpCredentials
CreateOAuthClientCredential UpdateOAuthClientCredential DeleteOAuthClientCredential CreateDbCredential DeleteDbCredential
CreateOAuth2ClientCredential UpdateOAuth2ClientCredential DeleteOAuth2ClientCredential
CreateOrResetUIPassword CreateOrUpdateUIConsolePassword UpdateUIPassword
CreateMfaTotpDevice ActivateMfaTotpDevice DeleteMfaTotpDevice GenerateTotpSeed ListMfaTotpDevices GetMfaTotpDevice
CreateUser CreateIdpUser UpdateUser UpdateIdpUser DeleteUser DeleteIdpUser UpdateUserState UpdateUserCapabilities GetUser ListUsers
AddUserToGroup RemoveUserFromGroup ListUserGroupMemberships GetUserGroupMembership
CreateGroup UpdateGroup DeleteGroup GetGroup ListGroups
CreateDynamicGroup UpdateDynamicGroup DeleteDynamicGroup GetDynamicGroup ListDynamicGroups
CreatePolicy UpdatePolicy DeletePolicy GetPolicy ListPolicies
CreateIdentityProvider UpdateIdentityProvider DeleteIdentityProvider GetIdentityProvider ListIdentityProviders
CreateSaml2IdentityProvider UpdateSaml2IdentityProvider DeleteSaml2IdentityProvider ResetIdpScimClient
CreateIdpGroupMapping AddIdpGroupMapping UpdateIdpGroupMapping DeleteIdpGroupMapping RemoveIdpGroupMapping ListIdpGroupMappings
CreateNetworkSource UpdateNetworkSource DeleteNetworkSource ListNetworkSources
GetAuthenticationPolicy UpdateAuthenticationPolicy
CreateDomain UpdateDomain DeleteDomain ActivateDomain DeactivateDomain GetDomain ListDomains
CreateCompartment UpdateCompartment DeleteCompartment MoveCompartment RecoverCompartment GetCompartment ListCompartments
CreateTagNamespace UpdateTagNamespace DeleteTagNamespace ListTagNamespaces CreateTag UpdateTag DeleteTag ListTags
CreateTagDefault UpdateTagDefault DeleteTagDefault ListTagDefaults AssembleEffectiveTagSet
CreateRegionSubscription ListRegionSubscriptions ListRegions GetTenancy ListAvailabilityDomains ListFaultDomains
BulkDeleteResources BulkMoveResources ListWorkRequests GetWorkRequest`,
	"Compartments": `ListCompartments GetCompartment CreateCompartment UpdateCompartment DeleteCompartment MoveCompartment
GetTenancy ListRegionSubscriptions CreateRegionSubscription ListAvailabilityDomains`,
	"Audit": `ListEvents GetConfiguration UpdateConfiguration`,
	"CloudGuard": `
ListProblems GetProblem UpdateProblemStatus UpdateBulkProblemStatus TriggerResponder GetConfiguration UpdateConfiguration
CreateTarget UpdateTarget DeleteTarget GetTarget ListTargets CreateDetectorRecipe UpdateDetectorRecipe DeleteDetectorRecipe
UpdateDetectorRecipeDetectorRule UpdateTargetDetectorRecipe CreateResponderRecipe UpdateResponderRecipe DeleteResponderRecipe
CreateManagedList UpdateManagedList DeleteManagedList CreateSecurityZone UpdateSecurityZone DeleteSecurityZone
CreateSecurityRecipe UpdateSecurityRecipe DeleteSecurityRecipe ListDetectorRecipes ListResponderRecipes RequestSummarizedProblems`,
	"ComputeApi": `
LaunchInstance+ TerminateInstance+ GetInstance UpdateInstance InstanceAction+ ListInstances ChangeInstanceCompartment
ListVnicAttachments GetVnicAttachment AttachVnic+ DetachVnic+ ListBootVolumeAttachments AttachBootVolume+ DetachBootVolume+
ListVolumeAttachments AttachVolume+ DetachVolume+ ListImages GetImage CreateImage+ UpdateImage DeleteImage ExportImage+ ListShapes
CaptureConsoleHistory GetConsoleHistory GetConsoleHistoryContent GetWindowsInstanceInitialCredentials
CreateInstanceConsoleConnection DeleteInstanceConsoleConnection ListInstanceConsoleConnections
CreateInstanceConfiguration DeleteInstanceConfiguration LaunchInstanceConfiguration
CreateInstancePool UpdateInstancePool TerminateInstancePool ListInstancePools CreateDedicatedVmHost DeleteDedicatedVmHost`,
	"virtualNetwork": `
CreateVcn UpdateVcn DeleteVcn GetVcn ListVcns ChangeVcnCompartment AddVcnCidr RemoveVcnCidr
CreateSubnet UpdateSubnet DeleteSubnet GetSubnet ListSubnets ChangeSubnetCompartment
CreateRouteTable UpdateRouteTable DeleteRouteTable GetRouteTable ListRouteTables ChangeRouteTableCompartment
CreateSecurityList UpdateSecurityList DeleteSecurityList GetSecurityList ListSecurityLists ChangeSecurityListCompartment
CreateNetworkSecurityGroup UpdateNetworkSecurityGroup DeleteNetworkSecurityGroup GetNetworkSecurityGroup
ListNetworkSecurityGroups ChangeNetworkSecurityGroupCompartment AddNetworkSecurityGroupSecurityRules
UpdateNetworkSecurityGroupSecurityRules RemoveNetworkSecurityGroupSecurityRules ListNetworkSecurityGroupSecurityRules
CreateDrg UpdateDrg DeleteDrg+ GetDrg ListDrgs ChangeDrgCompartment CreateDrgAttachment UpdateDrgAttachment DeleteDrgAttachment ListDrgAttachments
CreateInternetGateway UpdateInternetGateway DeleteInternetGateway ListInternetGateways ChangeInternetGatewayCompartment
CreateLocalPeeringGateway UpdateLocalPeeringGateway DeleteLocalPeeringGateway+ ConnectLocalPeeringGateways ChangeLocalPeeringGatewayCompartment
CreateRemotePeeringConnection UpdateRemotePeeringConnection DeleteRemotePeeringConnection ConnectRemotePeeringConnections
CreateNatGateway UpdateNatGateway DeleteNatGateway ListNatGateways ChangeNatGatewayCompartment
CreateServiceGateway UpdateServiceGateway DeleteServiceGateway+ ListServiceGateways ChangeServiceGatewayCompartment AttachServiceId DetachServiceId
CreateIPSecConnection UpdateIPSecConnection DeleteIPSecConnection CreateCpe DeleteCpe CreateVirtualCircuit DeleteVirtualCircuit
UpdateVnic GetVnic GetPublicIpByIpAddress GetPublicIpByPrivateIpId ListPublicIps CreatePublicIp UpdatePublicIp DeletePublicIp
ListPrivateIps CreatePrivateIp UpdatePrivateIp DeletePrivateIp CreateDhcpOptions UpdateDhcpOptions DeleteDhcpOptions ListDhcpOptions
CreateFlowLog UpdateFlowLog DeleteFlowLog CreateCaptureFilter UpdateCaptureFilter DeleteCaptureFilter CreateVtap UpdateVtap DeleteVtap`,
	"natgateway":     `CreateNatGateway UpdateNatGateway DeleteNatGateway ChangeNatGatewayCompartment`,
	"servicegateway": `CreateServiceGateway UpdateServiceGateway DeleteServiceGateway+ AttachServiceId DetachServiceId ChangeServiceGatewayCompartment`,
	"objectstorage": `
ListBuckets GetBucket HeadBucket CreateBucket UpdateBucket DeleteBucket GetNamespace GetNamespaceMetadata UpdateNamespaceMetadata
PutObjectLifecyclePolicy DeleteObjectLifecyclePolicy GetObjectLifecyclePolicy
CreatePreauthenticatedRequest DeletePreauthenticatedRequest ListPreauthenticatedRequests GetPreauthenticatedRequest
CreateReplicationPolicy DeleteReplicationPolicy MakeBucketWritable ReencryptBucket CreateRetentionRule UpdateRetentionRule DeleteRetentionRule
ListObjects GetObject HeadObject PutObject DeleteObject CopyObject RenameObject RestoreObjects CreateMultipartUpload CommitMultipartUpload`,
	"BlockVolumes": `
ListVolumes GetVolume CreateVolume+ UpdateVolume DeleteVolume+ ListVolumeBackups CreateVolumeBackup+ CopyVolumeBackup+ DeleteVolumeBackup+
ListBootVolumes GetBootVolume CreateBootVolume+ UpdateBootVolume DeleteBootVolume+ CreateBootVolumeBackup+ CopyBootVolumeBackup+ DeleteBootVolumeBackup+
CreateVolumeGroup+ DeleteVolumeGroup+ CreateVolumeGroupBackup+ DeleteVolumeGroupBackup+`,
	"KeyManagementService": `
ListVaults GetVault CreateVault UpdateVault ScheduleVaultDeletion CancelVaultDeletion BackupVault ListKeys GetKey CreateKey UpdateKey EnableKey
DisableKey ScheduleKeyDeletion CancelKeyDeletion BackupKey CreateKeyVersion EnableKeyVersion DisableKeyVersion ScheduleKeyVersionDeletion
CancelKeyVersionDeletion ListKeyVersions Encrypt Decrypt Sign Verify GenerateDataEncryptionKey ExportKey ImportKey`,
	"VaultSecret": `ListSecrets GetSecret CreateSecret UpdateSecret ScheduleSecretDeletion CancelSecretDeletion ListSecretVersions
ScheduleSecretVersionDeletion GetSecretBundle GetSecretBundleByName RotateSecret ChangeSecretCompartment`,
	"DatabaseService": `
ListAutonomousDatabases GetAutonomousDatabase CreateAutonomousDatabase+ UpdateAutonomousDatabase+ DeleteAutonomousDatabase+
StartAutonomousDatabase+ StopAutonomousDatabase+ RestoreAutonomousDatabase+ GenerateAutonomousDatabaseWallet
ListDbSystems GetDbSystem LaunchDbSystem+ UpdateDbSystem+ TerminateDbSystem+ CreateDatabase+ DeleteDatabase+ UpdateDatabase+
CreateBackup+ DeleteBackup+ RestoreDatabase+ ListDatabases GetDatabase`,
	"LoadBalancer": `ListLoadBalancers GetLoadBalancer GetLoadBalancerHealth CreateLoadBalancer UpdateLoadBalancer DeleteLoadBalancer
CreateListener UpdateListener DeleteListener CreateBackendSet UpdateBackendSet DeleteBackendSet CreateBackend UpdateBackend DeleteBackend CreateCertificate DeleteCertificate`,
	"ClustersAPI": `ListClusters GetCluster CreateCluster UpdateCluster DeleteCluster CreateKubeconfig ListNodePools GetNodePool CreateNodePool
UpdateNodePool DeleteNodePool ListWorkRequests`,
	"bastion": `ListBastions GetBastion CreateBastion UpdateBastion DeleteBastion ListSessions GetSession CreateSession UpdateSession DeleteSession`,
	"Logging": `ListLogGroups GetLogGroup CreateLogGroup UpdateLogGroup DeleteLogGroup ListLogs GetLog CreateLog UpdateLog DeleteLog
CreateUnifiedAgentConfiguration UpdateUnifiedAgentConfiguration DeleteUnifiedAgentConfiguration SearchLogs ChangeLogLogGroup`,
	"ServiceConnectorHub": `ListServiceConnectors GetServiceConnector CreateServiceConnector UpdateServiceConnector DeleteServiceConnector
ActivateServiceConnector DeactivateServiceConnector ChangeServiceConnectorCompartment`,
	"monitoring": `SummarizeMetricsData ListMetrics PostMetricData ListAlarms GetAlarm CreateAlarm UpdateAlarm DeleteAlarm ListAlarmsStatus SuppressAlarm`,
	"Streaming-ControlPlane": `createStream getStream updateStream deleteStream listStreams createStreamPool getStreamPool updateStreamPool
deleteStreamPool listStreamPools`,
	"queueapi":      `CreateQueue+ GetQueue ListQueues UpdateQueue+ DeleteQueue+ PurgeQueue`,
	"events":        `ListRules GetRule CreateRule UpdateRule DeleteRule ChangeRuleCompartment`,
	"notifications": `ListTopics GetTopic CreateTopic UpdateTopic DeleteTopic ListSubscriptions GetSubscription CreateSubscription UpdateSubscription DeleteSubscription`,
	"functions": `ListApplications GetApplication CreateApplication UpdateApplication DeleteApplication ListFunctions GetFunction CreateFunction
UpdateFunction DeleteFunction InvokeFunction`,
	"ResourceManager":      `ListStacks GetStack CreateStack UpdateStack DeleteStack CreateJob GetJob ListJobs CancelJob GetJobTfState GetJobLogs`,
	"ResourceQueryService": `SearchResources ListResourceTypes`,
	"limits":               `ListLimitValues ListLimitDefinitions GetResourceAvailability ListServices ListQuotas CreateQuota UpdateQuota DeleteQuota`,
	"budgets":              `ListBudgets GetBudget CreateBudget UpdateBudget DeleteBudget CreateAlertRule UpdateAlertRule DeleteAlertRule`,
	"announcements":        `ListAnnouncements GetAnnouncement`,
	"usage":                `RequestSummarizedUsages RequestSummarizedConfigurations ListSchedules`,
	"dns":                  `ListZones GetZone CreateZone UpdateZone DeleteZone GetZoneRecords UpdateZoneRecords PatchZoneRecords UpdateRRSet PatchRRSet DeleteRRSet`,
	"filestorage": `ListFileSystems GetFileSystem CreateFileSystem UpdateFileSystem DeleteFileSystem ListMountTargets CreateMountTarget DeleteMountTarget
ListExports CreateExport UpdateExport DeleteExport CreateSnapshot DeleteSnapshot`,
	"waf": `ListWebAppFirewalls GetWebAppFirewall CreateWebAppFirewall UpdateWebAppFirewall DeleteWebAppFirewall
CreateWebAppFirewallPolicy UpdateWebAppFirewallPolicy DeleteWebAppFirewallPolicy`,
	"networkfirewall": `ListNetworkFirewalls GetNetworkFirewall CreateNetworkFirewall UpdateNetworkFirewall DeleteNetworkFirewall
CreateNetworkFirewallPolicy UpdateNetworkFirewallPolicy DeleteNetworkFirewallPolicy ApplyNetworkFirewallPolicy`,
	"cloudshell": `StartCloudShell StopCloudShell GetCloudShell CreateCloudShellToken`,
	"vulnerabilityscanning": `CreateHostScanRecipe UpdateHostScanRecipe DeleteHostScanRecipe CreateHostScanTarget UpdateHostScanTarget DeleteHostScanTarget
ListHostAgentScanResults`,
	"apigateway": `CreateGateway UpdateGateway DeleteGateway ListGateways CreateDeployment UpdateDeployment DeleteDeployment ListDeployments`,
	"DataSafe":   `EnableDataSafeConfiguration RegisterTargetDatabase UpdateTargetDatabase DeleteTargetDatabase StopAuditTrail StartAuditTrail UpdateAuditTrail`,
}
