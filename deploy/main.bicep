// Tailrace in one resource group. Plain resources rather than registry modules: nothing is fetched while it is
// deployed, and every property can be read and checked here (docs/how-to/deploy.md says how).
targetScope = 'subscription'

@description('Name of the azd environment; a short hash of it is part of every resource name.')
@minLength(1)
@maxLength(64)
param environmentName string

@description('Azure region of everything.')
@metadata({
  azd: {
    type: 'location'
  }
})
param location string

@description('flex: Flex Consumption. premium: Elastic Premium, always warm and never free.')
@allowed([
  'flex'
  'premium'
])
param hostingPlan string = 'flex'

@description('Who runs the exports: functions (up to 30 minutes each) or containers (up to 12 hours each).')
@allowed([
  'functions'
  'containers'
])
param exportHost string = 'functions'

@description('Image of the container worker, as <registry>/tailrace:1. Empty until it is pushed.')
param workerImage string = ''

@description('True: a virtual network, private endpoints and no public access to storage, Service Bus and a new server.')
param privateNetwork bool = false

@description('Addresses of that network.')
param addressSpace string = '10.60.0.0/20'

@description('existing: export from postgresHost. new: make an Azure Database for PostgreSQL.')
@allowed([
  'existing'
  'new'
])
param postgresMode string = 'existing'

@description('Host name of the existing server.')
param postgresHost string = ''

@minValue(1)
@maxValue(65535)
param postgresPort int = 5432

@description('Database to export from; it is made on a new server.')
param postgresDatabase string = 'postgres'

@description('PostgreSQL role that the identity logs in as. Empty: of the name of the identity.')
param postgresRole string = ''

@description('Size of a new server.')
param postgresSkuName string = 'Standard_D2ds_v5'

@allowed([
  'Burstable'
  'GeneralPurpose'
  'MemoryOptimized'
])
param postgresSkuTier string = 'GeneralPurpose'
param postgresVersion string = '17'
param postgresStorageGB int = 128

@description('Object id, name and type of the Entra administrator of a new server: usually you.')
param principalId string = ''
param principalName string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param principalType string = 'User'

@description('Object id of who may submit, list and replay exports with the tailrace command. Empty: nobody.')
param operatorId string = ''

@allowed([
  'User'
  'Group'
  'ServicePrincipal'
])
param operatorType string = 'User'

@description('Replication of the account of the exports.')
param exportSkuName string = 'Standard_LRS'

@description('Days for which no export can be changed or deleted; 0 for no such policy.')
@minValue(0)
param immutabilityDays int = 0

@description('Days after which an export moves to the cool tier; 0 for never.')
@minValue(0)
param coolAfterDays int = 0

@description('Days after which an export is deleted; 0 for never.')
@minValue(0)
param deleteAfterDays int = 0

@description('When the timer looks for due windows: six fields, in UTC.')
param tick string = '0 * * * * *'

@description('When all jobs are audited: six fields, in UTC; off for never.')
param audit string = '0 0 3 * * *'

@description('When some windows of every job are restored and compared: six fields, in UTC; off for never.')
param drill string = 'off'

@description('The server for that: a Key Vault reference to a conninfo string; empty for the server that exports read, whose role must be able to create schemas.')
param drillServer string = ''

@description('Who is told of alerts; empty for nobody.')
param alertEmail string = ''

@description('How far the newest window of a job may lag before that is an alert.')
@minValue(1)
param windowLagMinutes int = 120

var capacity = loadJsonContent('capacity.values.json')
var token = toLower(uniqueString(subscription().id, environmentName, location))
var tags = {
  'azd-env-name': environmentName
}
var queueName = 'exports'
var containerName = 'exports'
var packageContainerName = 'packages'
var usesContainers = exportHost == 'containers'
var runsInContainers = usesContainers && !empty(workerImage)
var makesServer = postgresMode == 'new'

// What the app reads, in functions and containers alike; the sizes of each are added there.
var exportSettings = {
  TAILRACE_CREDENTIAL: 'managed-identity'
  AZURE_CLIENT_ID: identity.outputs.clientId
  ServiceBusConnection__fullyQualifiedNamespace: messaging.outputs.host
  ServiceBusConnection__credential: 'managedidentity'
  ServiceBusConnection__clientId: identity.outputs.clientId
  ExportStorage__serviceUri: exportStorage.outputs.serviceUri
  TAILRACE_QUEUE: queueName
  TAILRACE_CONTAINER: containerName
  TAILRACE_TICK: tick
  TAILRACE_AUDIT: audit
  TAILRACE_DRILL: drill
  TAILRACE_DRILL_SERVER: drillServer
  TAILRACE_MAX_ATTEMPTS: string(capacity.delivery.maxAttempts)
  PGHOST: makesServer ? database.?outputs.host ?? '' : postgresHost
  PGPORT: string(postgresPort)
  PGDATABASE: postgresDatabase
  PGUSER: empty(postgresRole) ? identity.outputs.name : postgresRole
  PGSSLMODE: 'verify-full'
}


resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-${environmentName}'
  location: location
  tags: tags
}

module identity 'modules/identity.bicep' = {
  scope: group
  name: 'identity'
  params: {
    name: 'id-tailrace-${token}'
    location: location
    tags: tags
  }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  name: 'monitoring'
  params: {
    workspaceName: 'log-tailrace-${token}'
    componentName: 'appi-tailrace-${token}'
    location: location
    tags: tags
  }
}

module messaging 'modules/messaging.bicep' = {
  scope: group
  name: 'messaging'
  params: {
    name: 'sb-tailrace-${token}'
    location: location
    tags: tags
    queueName: queueName
    maxDeliveryCount: capacity.delivery.maxDeliveryCount
    isPrivate: privateNetwork
  }
}

module hostStorage 'modules/host_storage.bicep' = {
  scope: group
  name: 'host-storage'
  params: {
    name: 'sthost${token}'
    location: location
    tags: tags
    packageContainerName: packageContainerName
    isPrivate: privateNetwork
  }
}

module exportStorage 'modules/export_storage.bicep' = {
  scope: group
  name: 'export-storage'
  params: {
    name: 'stexports${token}'
    location: location
    tags: tags
    containerName: containerName
    skuName: exportSkuName
    immutabilityDays: immutabilityDays
    coolAfterDays: coolAfterDays
    deleteAfterDays: deleteAfterDays
    isPrivate: privateNetwork
  }
}

module database 'modules/database.bicep' = if (makesServer) {
  scope: group
  name: 'database'
  params: {
    name: 'psql-tailrace-${token}'
    location: location
    tags: tags
    databaseName: postgresDatabase
    version: postgresVersion
    skuName: postgresSkuName
    skuTier: postgresSkuTier
    storageGB: postgresStorageGB
    maxConnections: capacity.database.maxConnections
    adminObjectId: principalId
    adminName: principalName
    adminType: principalType
    isPrivate: privateNetwork
  }
}

module network 'modules/network.bicep' = if (privateNetwork) {
  scope: group
  name: 'network'
  params: {
    name: 'vnet-tailrace-${token}'
    location: location
    tags: tags
    addressSpace: addressSpace
    functionsDelegation: hostingPlan == 'flex' ? 'Microsoft.App/environments' : 'Microsoft.Web/serverFarms'
  }
}

module hostBlobEndpoint 'modules/private_endpoint.bicep' = if (privateNetwork) {
  scope: group
  name: 'host-blob-endpoint'
  params: {
    name: 'pe-host-blob-${token}'
    location: location
    tags: tags
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    zoneId: network.?outputs.blobZoneId ?? ''
    targetId: hostStorage.outputs.accountId
    groupId: 'blob'
  }
}

module hostTableEndpoint 'modules/private_endpoint.bicep' = if (privateNetwork) {
  scope: group
  name: 'host-table-endpoint'
  params: {
    name: 'pe-host-table-${token}'
    location: location
    tags: tags
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    zoneId: network.?outputs.tableZoneId ?? ''
    targetId: hostStorage.outputs.accountId
    groupId: 'table'
  }
}

module exportBlobEndpoint 'modules/private_endpoint.bicep' = if (privateNetwork) {
  scope: group
  name: 'export-blob-endpoint'
  params: {
    name: 'pe-exports-blob-${token}'
    location: location
    tags: tags
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    zoneId: network.?outputs.blobZoneId ?? ''
    targetId: exportStorage.outputs.accountId
    groupId: 'blob'
  }
}

module queueEndpoint 'modules/private_endpoint.bicep' = if (privateNetwork) {
  scope: group
  name: 'queue-endpoint'
  params: {
    name: 'pe-queue-${token}'
    location: location
    tags: tags
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    zoneId: network.?outputs.serviceBusZoneId ?? ''
    targetId: messaging.outputs.namespaceId
    groupId: 'namespace'
  }
}

module databaseEndpoint 'modules/private_endpoint.bicep' = if (privateNetwork && makesServer) {
  scope: group
  name: 'database-endpoint'
  params: {
    name: 'pe-database-${token}'
    location: location
    tags: tags
    subnetId: network.?outputs.endpointsSubnetId ?? ''
    zoneId: network.?outputs.postgresZoneId ?? ''
    targetId: database.?outputs.serverId ?? ''
    groupId: 'postgresqlServer'
  }
}

module access 'modules/access.bicep' = {
  scope: group
  name: 'access'
  params: {
    principalId: identity.outputs.principalId
    namespaceName: messaging.outputs.namespaceName
    queueName: messaging.outputs.queueName
    hostAccountName: hostStorage.outputs.accountName
    packageContainerName: packageContainerName
    exportAccountName: exportStorage.outputs.accountName
    exportContainerName: exportStorage.outputs.containerName
    componentName: monitoring.outputs.componentName
    operatorId: operatorId
    operatorType: operatorType
    operatorUploadsPackage: hostingPlan == 'premium'
  }
}

module functions 'modules/functions.bicep' = {
  scope: group
  name: 'functions'
  params: {
    name: 'func-tailrace-${token}'
    planName: 'plan-tailrace-${token}'
    location: location
    tags: tags
    hostingPlan: hostingPlan
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    hostAccountName: hostStorage.outputs.accountName
    packagesUri: hostStorage.outputs.packagesUri
    componentName: monitoring.outputs.componentName
    exportSettings: exportSettings
    capacity: capacity.functions
    runsExports: !runsInContainers
    subnetId: network.?outputs.functionsSubnetId ?? ''
  }
  // The host looks at its storage when it starts: the roles and the way there must be ready.
  dependsOn: [
    access
    hostBlobEndpoint
    hostTableEndpoint
  ]
}

module registry 'modules/registry.bicep' = if (usesContainers) {
  scope: group
  name: 'registry'
  params: {
    name: 'crtailrace${token}'
    location: location
    tags: tags
    principalId: identity.outputs.principalId
  }
}

module workerJob 'modules/worker_job.bicep' = if (runsInContainers) {
  scope: group
  name: 'worker-job'
  params: {
    name: 'job-tailrace-${token}'
    environmentName: 'cae-tailrace-${token}'
    location: location
    tags: tags
    image: workerImage
    registryServer: registry.?outputs.server ?? ''
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    namespaceName: messaging.outputs.namespaceName
    queueName: messaging.outputs.queueName
    workspaceId: monitoring.outputs.workspaceId
    componentName: monitoring.outputs.componentName
    exportSettings: exportSettings
    capacity: capacity.containers
    subnetId: network.?outputs.containersSubnetId ?? ''
  }
  dependsOn: [
    access
  ]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  name: 'alerts'
  params: {
    location: location
    tags: tags
    namespaceId: messaging.outputs.namespaceId
    queueName: messaging.outputs.queueName
    componentId: monitoring.outputs.componentId
    componentName: monitoring.outputs.componentName
    email: alertEmail
    windowLagMinutes: windowLagMinutes
  }
}

module workbook 'modules/workbook.bicep' = {
  scope: group
  name: 'workbook'
  params: {
    location: location
    tags: tags
    componentId: monitoring.outputs.componentId
    namespaceId: messaging.outputs.namespaceId
    queueName: messaging.outputs.queueName
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_FUNCTION_APP_NAME string = functions.outputs.name
output AZURE_CONTAINER_REGISTRY_NAME string = registry.?outputs.name ?? ''
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.?outputs.server ?? ''
output TAILRACE_HTTP_ADDRESS string = functions.outputs.address
output TAILRACE_IDENTITY_NAME string = identity.outputs.name
output TAILRACE_HOST_ACCOUNT string = hostStorage.outputs.accountName
output TAILRACE_PACKAGES_CONTAINER string = packageContainerName
output TAILRACE_WORKER_JOB string = workerJob.?outputs.name ?? ''
output ServiceBusConnection__fullyQualifiedNamespace string = messaging.outputs.host
output ExportStorage__serviceUri string = exportStorage.outputs.serviceUri
output PGHOST string = makesServer ? database.?outputs.host ?? '' : postgresHost
output PGDATABASE string = postgresDatabase
