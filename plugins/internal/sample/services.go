package sample

import "strings"

// family is the operations of one service, a line each: name, method and path, the kind of the resource.
type family struct {
	service string
	lines   string
}

// special are the operations of families whose events say more than the line does.
var special = map[string]func(*builder){
	"Audit.UpdateConfiguration":                   retention,
	"objectstorage.UpdateBucket":                  bucket,
	"objectstorage.CreateBucket":                  bucket,
	"ComputeApi.LaunchInstance":                   instance,
	"virtualNetwork.UpdateSecurityList":           securityList,
	"virtualNetwork.CreateSecurityList":           securityList,
	"objectstorage.CreatePreauthenticatedRequest": preauthenticated,
}

var families = []family{
	{"ComputeApi", `
LaunchInstance POST /20160918/instances instance
TerminateInstance DELETE /20160918/instances/{id} instance
GetInstance GET /20160918/instances/{id} instance
UpdateInstance PUT /20160918/instances/{id} instance
InstanceAction POST /20160918/instances/{id} instance
ListInstances GET /20160918/instances -
ListVnicAttachments GET /20160918/vnicAttachments -
ListBootVolumeAttachments GET /20160918/bootVolumeAttachments -
ListVolumeAttachments GET /20160918/volumeAttachments -
AttachVolume POST /20160918/volumeAttachments volumeattachment
DetachVolume DELETE /20160918/volumeAttachments/{id} volumeattachment
ListImages GET /20160918/images -
ListShapes GET /20160918/shapes -
CreateImage POST /20160918/images image
GetWindowsInstanceInitialCredentials GET /20160918/instances/{id}/initialCredentials instance
CreateInstanceConsoleConnection POST /20160918/instanceConsoleConnections instanceconsoleconnection`},
	{"virtualNetwork", `
CreateVcn POST /20160918/vcns vcn
UpdateVcn PUT /20160918/vcns/{id} vcn
DeleteVcn DELETE /20160918/vcns/{id} vcn
GetVcn GET /20160918/vcns/{id} vcn
ListVcns GET /20160918/vcns -
CreateSubnet POST /20160918/subnets subnet
DeleteSubnet DELETE /20160918/subnets/{id} subnet
GetSubnet GET /20160918/subnets/{id} subnet
ListSubnets GET /20160918/subnets -
CreateRouteTable POST /20160918/routeTables routetable
UpdateRouteTable PUT /20160918/routeTables/{id} routetable
DeleteRouteTable DELETE /20160918/routeTables/{id} routetable
ChangeRouteTableCompartment POST /20160918/routeTables/{id}/actions/changeCompartment routetable
ListRouteTables GET /20160918/routeTables -
CreateSecurityList POST /20160918/securityLists securitylist
UpdateSecurityList PUT /20160918/securityLists/{id} securitylist
DeleteSecurityList DELETE /20160918/securityLists/{id} securitylist
ChangeSecurityListCompartment POST /20160918/securityLists/{id}/actions/changeCompartment securitylist
ListSecurityLists GET /20160918/securityLists -
CreateNetworkSecurityGroup POST /20160918/networkSecurityGroups networksecuritygroup
UpdateNetworkSecurityGroup PUT /20160918/networkSecurityGroups/{id} networksecuritygroup
DeleteNetworkSecurityGroup DELETE /20160918/networkSecurityGroups/{id} networksecuritygroup
ChangeNetworkSecurityGroupCompartment POST /20160918/networkSecurityGroups/{id}/actions/changeCompartment networksecuritygroup
AddNetworkSecurityGroupSecurityRules POST /20160918/networkSecurityGroups/{id}/actions/addSecurityRules networksecuritygroup
UpdateNetworkSecurityGroupSecurityRules POST /20160918/networkSecurityGroups/{id}/actions/updateSecurityRules networksecuritygroup
ListNetworkSecurityGroupSecurityRules GET /20160918/networkSecurityGroups/{id}/securityRules networksecuritygroup
CreateDrg POST /20160918/drgs drg
UpdateDrg PUT /20160918/drgs/{id} drg
DeleteDrg DELETE /20160918/drgs/{id} drg
CreateDrgAttachment POST /20160918/drgAttachments drgattachment
UpdateDrgAttachment PUT /20160918/drgAttachments/{id} drgattachment
DeleteDrgAttachment DELETE /20160918/drgAttachments/{id} drgattachment
CreateInternetGateway POST /20160918/internetGateways internetgateway
UpdateInternetGateway PUT /20160918/internetGateways/{id} internetgateway
DeleteInternetGateway DELETE /20160918/internetGateways/{id} internetgateway
ChangeInternetGatewayCompartment POST /20160918/internetGateways/{id}/actions/changeCompartment internetgateway
CreateLocalPeeringGateway POST /20160918/localPeeringGateways localpeeringgateway
UpdateLocalPeeringGateway PUT /20160918/localPeeringGateways/{id} localpeeringgateway
DeleteLocalPeeringGateway DELETE /20160918/localPeeringGateways/{id} localpeeringgateway
ChangeLocalPeeringGatewayCompartment POST /20160918/localPeeringGateways/{id}/actions/changeCompartment localpeeringgateway
CreateRemotePeeringConnection POST /20160918/remotePeeringConnections remotepeeringconnection
UpdateVnic PUT /20160918/vnics/{id} vnic
GetVnic GET /20160918/vnics/{id} vnic
GetPublicIpByIpAddress POST /20160918/publicIps/actions/getByIpAddress -
ListPublicIps GET /20160918/publicIps -
ListPrivateIps GET /20160918/privateIps -
DeleteFlowLog DELETE /20160918/flowLogs/{id} flowlog`},
	{"natgateway", `
CreateNatGateway POST /20160918/natGateways natgateway
UpdateNatGateway PUT /20160918/natGateways/{id} natgateway
DeleteNatGateway DELETE /20160918/natGateways/{id} natgateway
ChangeNatGatewayCompartment POST /20160918/natGateways/{id}/actions/changeCompartment natgateway`},
	{"servicegateway", `
CreateServiceGateway POST /20160918/serviceGateways servicegateway
UpdateServiceGateway PUT /20160918/serviceGateways/{id} servicegateway
DeleteServiceGateway DELETE /20160918/serviceGateways/{id} servicegateway
AttachServiceId POST /20160918/serviceGateways/{id}/actions/attachService servicegateway
DetachServiceId POST /20160918/serviceGateways/{id}/actions/detachService servicegateway
ChangeServiceGatewayCompartment POST /20160918/serviceGateways/{id}/actions/changeCompartment servicegateway`},
	{"Audit", `
ListEvents GET /20190901/auditEvents -
GetConfiguration GET /20190901/configuration -
UpdateConfiguration PUT /20190901/configuration -`},
	{"CloudGuard", `
ListProblems GET /20200131/problems -
GetProblem GET /20200131/problems/{id} cloudguardproblem
UpdateProblemStatus POST /20200131/problems/{id}/actions/updateStatus cloudguardproblem
UpdateConfiguration PUT /20200131/configuration -
GetConfiguration GET /20200131/configuration -
DeleteTarget DELETE /20200131/targets/{id} cloudguardtarget
UpdateDetectorRecipe PUT /20200131/detectorRecipes/{id} cloudguarddetectorrecipe`},
	{"objectstorage", `
ListBuckets GET /n/{n}/b -
GetBucket GET /n/{n}/b/{name} bucket
HeadBucket HEAD /n/{n}/b/{name} bucket
CreateBucket POST /n/{n}/b bucket
UpdateBucket POST /n/{n}/b/{name} bucket
DeleteBucket DELETE /n/{n}/b/{name} bucket
GetNamespace GET /n -
PutObjectLifecyclePolicy PUT /n/{n}/b/{name}/l bucket
CreatePreauthenticatedRequest POST /n/{n}/b/{name}/p bucket
CreateReplicationPolicy POST /n/{n}/b/{name}/replicationPolicies bucket
ListObjects GET /n/{n}/b/{name}/o bucket`},
	{"BlockVolumes", `
ListVolumes GET /20160918/volumes -
GetVolume GET /20160918/volumes/{id} volume
CreateVolume POST /20160918/volumes volume
DeleteVolume DELETE /20160918/volumes/{id} volume
CreateVolumeBackup POST /20160918/volumeBackups volumebackup
CopyVolumeBackup POST /20160918/volumeBackups/{id}/actions/copy volumebackup
ListBootVolumes GET /20160918/bootVolumes -`},
	{"KeyManagementService", `
ListVaults GET /20180608/vaults -
GetVault GET /20180608/vaults/{id} vault
ListKeys GET /20180608/keys -
GetKey GET /20180608/keys/{id} key
ScheduleKeyDeletion POST /20180608/keys/{id}/actions/scheduleDeletion key
DisableKey POST /20180608/keys/{id}/actions/disable key
DisableKeyVersion POST /20180608/keys/{id}/keyVersions/v1/actions/disable key
ScheduleVaultDeletion POST /20180608/vaults/{id}/actions/scheduleDeletion vault`},
	{"VaultSecret", `
ListSecrets GET /20180608/secrets -
GetSecret GET /20180608/secrets/{id} vaultsecret
CreateSecret POST /20180608/secrets vaultsecret
UpdateSecret PUT /20180608/secrets/{id} vaultsecret
ScheduleSecretDeletion POST /20180608/secrets/{id}/actions/scheduleDeletion vaultsecret
GetSecretBundle GET /20190301/secretbundles/{id} vaultsecret`},
	{"DatabaseService", `
ListAutonomousDatabases GET /20160918/autonomousDatabases -
GetAutonomousDatabase GET /20160918/autonomousDatabases/{id} autonomousdatabase
DeleteAutonomousDatabase DELETE /20160918/autonomousDatabases/{id} autonomousdatabase
GenerateAutonomousDatabaseWallet POST /20160918/autonomousDatabases/{id}/actions/generateWallet autonomousdatabase
ListDbSystems GET /20160918/dbSystems -
TerminateDbSystem DELETE /20160918/dbSystems/{id} dbsystem`},
	{"LoadBalancer", `
ListLoadBalancers GET /20170115/loadBalancers -
GetLoadBalancer GET /20170115/loadBalancers/{id} loadbalancer
GetLoadBalancerHealth GET /20170115/loadBalancers/{id}/health loadbalancer
UpdateBackend PUT /20170115/loadBalancers/{id}/backendSets/web/backends/one loadbalancer`},
	{"ClustersAPI", `
ListClusters GET /20180222/clusters -
GetCluster GET /20180222/clusters/{id} cluster
ListNodePools GET /20180222/nodePools -
UpdateNodePool PUT /20180222/nodePools/{id} nodepool
CreateKubeconfig POST /20180222/clusters/{id}/kubeconfig/content cluster`},
	{"bastion", `
ListBastions GET /20210331/bastions -
GetBastion GET /20210331/bastions/{id} bastion
ListSessions GET /20210331/sessions -
CreateSession POST /20210331/sessions bastionsession`},
	{"Logging", `
ListLogGroups GET /20200531/logGroups -
ListLogs GET /20200531/logGroups/{id}/logs loggroup
CreateLogGroup POST /20200531/logGroups loggroup
DeleteLogGroup DELETE /20200531/logGroups/{id} loggroup
CreateLog POST /20200531/logGroups/group/logs log
UpdateLog PUT /20200531/logGroups/group/logs/{id} log
DeleteLog DELETE /20200531/logGroups/group/logs/{id} log
SearchLogs POST /20190909/search -`},
	{"monitoring", `
SummarizeMetricsData POST /20180401/metrics/actions/summarizeMetricsData -
ListMetrics POST /20180401/metrics/actions/listMetrics -
ListAlarms GET /20180401/alarms -
ListAlarmsStatus GET /20180401/alarms/status -
DeleteAlarm DELETE /20180401/alarms/{id} alarm`},
	{"Streaming-ControlPlane", `
createStream POST /20180418/streams stream
getStream GET /20180418/streams/{id} stream
deleteStream DELETE /20180418/streams/{id} stream`},
	{"queueapi", `
CreateQueue POST /20210201/queues queue
ListQueues GET /20210201/queues -`},
	{"events", `
ListRules GET /20181201/rules -
CreateRule POST /20181201/rules eventrule
UpdateRule PUT /20181201/rules/{id} eventrule
DeleteRule DELETE /20181201/rules/{id} eventrule`},
	{"notifications", `
ListTopics GET /20181201/topics -
ListSubscriptions GET /20181201/subscriptions -
DeleteTopic DELETE /20181201/topics/{id} onstopic`},
	{"functions", `
ListApplications GET /20181201/applications -
ListFunctions GET /20181201/functions -
GetFunction GET /20181201/functions/{id} fnfunc
UpdateFunction PUT /20181201/functions/{id} fnfunc`},
	{"ResourceManager", `
ListStacks GET /20180917/stacks -
CreateJob POST /20180917/jobs ormjob
GetJob GET /20180917/jobs/{id} ormjob`},
	{"ResourceQueryService", `
SearchResources POST /20180409/resources -`},
	{"limits", `
ListLimitValues GET /20190729/limitValues -
GetResourceAvailability GET /20190729/services/compute/limits/vm/resourceAvailability -`},
	{"budgets", `
ListBudgets GET /20190111/budgets -`},
	{"announcements", `
ListAnnouncements GET /20180904/announcements -`},
	{"usage", `
RequestSummarizedUsages POST /20200107/usage -`},
	{"dns", `
ListZones GET /20180115/zones -
UpdateRRSet PUT /20180115/zones/{id}/records dns-zone`},
	{"filestorage", `
ListFileSystems GET /20171215/fileSystems -
ListMountTargets GET /20171215/mountTargets -
DeleteFileSystem DELETE /20171215/fileSystems/{id} filesystem`},
	{"waf", `
ListWebAppFirewalls GET /20210930/webAppFirewalls -
DeleteWebAppFirewallPolicy DELETE /20210930/webAppFirewallPolicies/{id} webappfirewallpolicy`},
	{"networkfirewall", `
ListNetworkFirewalls GET /20230501/networkFirewalls -
DeleteNetworkFirewall DELETE /20230501/networkFirewalls/{id} networkfirewall`},
	{"cloudshell", `
StartCloudShell POST /20190820/cloudShells cloudshell`},
}

func serviceOperations() []operation {
	var all []operation
	for _, f := range families {
		for line := range strings.SplitSeq(strings.TrimSpace(f.lines), "\n") {
			words := strings.Fields(line)
			op := operation{name: words[0], service: f.service, call: words[1] + " " + words[2], fill: special[f.service+"."+words[0]]}
			if words[3] != "-" {
				op.kind = words[3]
			}
			all = append(all, op)
		}
	}
	return all
}

// retention says how long audit events were kept and will be.
func retention(b *builder) {
	b.Compartment = Principal{Name: b.Tenancy.Name + " (root)", ID: b.Tenancy.ID}
	b.params = object(member{"compartmentId", list(b.Tenancy.ID)})
	b.previous = object(member{"retentionPeriodDays", 365})
	b.current = object(member{"retentionPeriodDays", 365})
}

func bucket(b *builder) {
	access := object(member{"name", b.resource.Name}, member{"publicAccessType", "NoPublicAccess"}, member{"versioning", "Disabled"})
	b.details.set("bucketName", b.resource.Name)
	b.details.set("namespace", "n"+b.Tenancy.Name)
	b.details.set("publicAccessType", "NoPublicAccess")
	b.details.set("eTag", b.g.uuid())
	b.payload, b.current = access, access
}

func preauthenticated(b *builder) {
	b.details.set("bucketName", b.resource.Name)
	b.payload = object(member{"id", b.g.text(24, base32Letters)}, member{"accessType", "ObjectRead"}, member{"timeExpires", b.Time.AddDate(0, 0, 7)})
}

func instance(b *builder) {
	b.payload = object(
		member{"id", b.resource.ID},
		member{"displayName", b.resource.Name},
		member{"compartmentId", b.Compartment.ID},
		member{"shape", "VM.Standard.E5.Flex"},
		member{"region", b.Region},
		member{"lifecycleState", "PROVISIONING"},
		member{"timeCreated", b.Time},
	)
	b.details.set("shape", "VM.Standard.E5.Flex")
	b.details.set("imageId", OCID("image", b.Region, "oracle-linux-9"))
}

func securityList(b *builder) {
	rule := object(member{"source", "10.0.0.0/16"}, member{"protocol", "6"}, member{"isStateless", false})
	b.payload = object(member{"id", b.resource.ID}, member{"displayName", b.resource.Name}, member{"ingressSecurityRules", list(rule)})
}
