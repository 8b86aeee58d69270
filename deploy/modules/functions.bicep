param name string
param planName string
param location string
param tags object

@description('flex: Flex Consumption (FC1). premium: Elastic Premium (EP1), which stays warm.')
@allowed([
  'flex'
  'premium'
])
param hostingPlan string

param identityId string
param identityClientId string
param hostAccountName string
param packagesUri string
param componentName string

@description('What the app itself reads; main.bicep makes it for functions and containers alike.')
param exportSettings object

@description('The functions part of capacity.values.json.')
param capacity object

@description('False: messages are left to the container job; the timer and the HTTP function go on.')
param runsExports bool

@description('Empty without a private network.')
param subnetId string

var isFlex = hostingPlan == 'flex'

var hostSettings = {
  AzureWebJobsStorage__accountName: hostAccountName
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  PYTHON_THREADPOOL_THREAD_COUNT: string(capacity.threads)
  TAILRACE_CONCURRENCY: string(capacity.concurrency)
  TAILRACE_POOL_SIZE: string(capacity.poolSize)
  TAILRACE_MAX_STREAMS: string(capacity.maxStreams)
  'AzureWebJobs.export.Disabled': runsExports ? 'false' : 'true'
}

// Flex Consumption refuses these; its runtime and package are in functionAppConfig.
var premiumSettings = {
  FUNCTIONS_EXTENSION_VERSION: '~4'
  FUNCTIONS_WORKER_RUNTIME: 'python'
  WEBSITE_RUN_FROM_PACKAGE: '${packagesUri}/app.zip'
  WEBSITE_RUN_FROM_PACKAGE_BLOB_MI_RESOURCE_ID: identityId
}

var flexConfig = {
  deployment: {
    storage: {
      type: 'blobContainer'
      value: packagesUri
      authentication: {
        type: 'UserAssignedIdentity'
        userAssignedIdentityResourceId: identityId
      }
    }
  }
  scaleAndConcurrency: {
    maximumInstanceCount: capacity.maximumInstanceCount
    instanceMemoryMB: capacity.instanceMemoryMB
  }
  runtime: {
    name: 'python'
    version: '3.13'
  }
}

var flexSite = {
  minTlsVersion: '1.2'
}

var premiumSite = {
  minTlsVersion: '1.2'
  ftpsState: 'Disabled'
  linuxFxVersion: 'Python|3.13'
  functionAppScaleLimit: capacity.maximumInstanceCount
  minimumElasticInstanceCount: 1
  vnetRouteAllEnabled: !empty(subnetId)
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource plan 'Microsoft.Web/serverfarms@2024-04-01' = {
  name: planName
  location: location
  tags: tags
  kind: isFlex ? 'functionapp' : 'elastic'
  sku: isFlex ? {
    name: 'FC1'
    tier: 'FlexConsumption'
  } : {
    name: 'EP1'
    tier: 'ElasticPremium'
  }
  properties: isFlex ? {
    reserved: true
  } : {
    reserved: true
    maximumElasticWorkerCount: capacity.maximumInstanceCount
  }
}

resource app 'Microsoft.Web/sites@2024-04-01' = {
  name: name
  location: location
  tags: union(tags, {
    'azd-service-name': 'exporter'
  })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: empty(subnetId) ? null : subnetId
    siteConfig: isFlex ? flexSite : premiumSite
    functionAppConfig: isFlex ? flexConfig : null
  }
}

resource settings 'Microsoft.Web/sites/config@2024-04-01' = {
  parent: app
  name: 'appsettings'
  properties: union(exportSettings, hostSettings, isFlex ? {} : premiumSettings)
}

resource noFtpPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'ftp'
  properties: {
    allow: false
  }
}

resource noPublishingPassword 'Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01' = {
  parent: app
  name: 'scm'
  properties: {
    allow: false
  }
}

output name string = app.name
output address string = 'https://${app.properties.defaultHostName}'
