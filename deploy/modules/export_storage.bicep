param name string
param location string
param tags object
param containerName string

@description('Replication of the account, such as Standard_LRS or Standard_ZRS where the region has zones.')
param skuName string

@description('Days for which no export can be changed or deleted; 0 for no such policy. It is left unlocked.')
@minValue(0)
param immutabilityDays int

@description('Days after which an export moves to the cool tier; 0 for never.')
@minValue(0)
param coolAfterDays int

@description('Days after which an export is deleted; 0 for never.')
@minValue(0)
param deleteAfterDays int

@description('True: reachable through private endpoints only.')
param isPrivate bool

var cooling = coolAfterDays > 0 ? {
  tierToCool: {
    daysAfterModificationGreaterThan: coolAfterDays
  }
} : {}
var deletion = deleteAfterDays > 0 ? {
  delete: {
    daysAfterModificationGreaterThan: deleteAfterDays
  }
} : {}

resource account 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: skuName
  }
  properties: {
    isHnsEnabled: true
    allowSharedKeyAccess: false
    defaultToOAuthAuthentication: true
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: isPrivate ? 'Deny' : 'Allow'
      bypass: 'None'
    }
  }
}

resource blobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: account
  name: 'default'
  properties: {
    deleteRetentionPolicy: {
      enabled: true
      days: 7
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: 7
    }
  }
}

resource container 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: blobs
  name: containerName
}

// On the container, as the version-level kind does not work with a hierarchical namespace.
resource immutability 'Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies@2024-01-01' = if (immutabilityDays > 0) {
  parent: container
  name: 'default'
  properties: {
    immutabilityPeriodSinceCreationInDays: immutabilityDays
    allowProtectedAppendWrites: false
  }
}

resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = if (coolAfterDays > 0 || deleteAfterDays > 0) {
  parent: account
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'age'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: [
                'blockBlob'
              ]
              prefixMatch: [
                '${containerName}/'
              ]
            }
            actions: {
              baseBlob: union(cooling, deletion)
            }
          }
        }
      ]
    }
  }
}

output accountId string = account.id
output accountName string = account.name
output containerName string = container.name
output serviceUri string = account.properties.primaryEndpoints.blob
