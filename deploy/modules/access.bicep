// Every role assignment of the deployment. Which role, and why: roles.json.
param principalId string
param namespaceName string
param queueName string
param hostAccountName string
param packageContainerName string
param exportAccountName string
param exportContainerName string
param componentName string

@description('Object id of a person, group or application that submits, lists and replays exports; empty for none.')
param operatorId string

@description('User, Group or ServicePrincipal.')
param operatorType string

@description('True: an operator uploads the package, as there is no other way into a Premium plan without shared keys.')
param operatorUploadsPackage bool

var roles = loadJsonContent('../roles.json')

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' existing = {
  name: '${namespaceName}/${queueName}'
}

resource hostAccount 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: hostAccountName
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  name: '${hostAccountName}/default/${packageContainerName}'
}

resource exports 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' existing = {
  name: '${exportAccountName}/default/${exportContainerName}'
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource queueOwner 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: queue
  name: guid(queue.id, principalId, roles.serviceBusDataOwner.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataOwner.id)
  }
}

resource hostBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostAccount
  name: guid(hostAccount.id, principalId, roles.blobDataOwner.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataOwner.id)
  }
}

resource hostTables 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: hostAccount
  name: guid(hostAccount.id, principalId, roles.tableDataContributor.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.tableDataContributor.id)
  }
}

resource exportBlobs 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: exports
  name: guid(exports.id, principalId, roles.blobDataContributor.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor.id)
  }
}

resource telemetry 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  scope: component
  name: guid(component.id, principalId, roles.monitoringMetricsPublisher.id)
  properties: {
    principalId: principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.monitoringMetricsPublisher.id)
  }
}

resource operatorReceives 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: queue
  name: guid(queue.id, operatorId, roles.serviceBusDataReceiver.id)
  properties: {
    principalId: operatorId
    principalType: operatorType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataReceiver.id)
  }
}

resource operatorSends 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: queue
  name: guid(queue.id, operatorId, roles.serviceBusDataSender.id)
  properties: {
    principalId: operatorId
    principalType: operatorType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.serviceBusDataSender.id)
  }
}

resource operatorWrites 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId)) {
  scope: exports
  name: guid(exports.id, operatorId, roles.blobDataContributor.id)
  properties: {
    principalId: operatorId
    principalType: operatorType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor.id)
  }
}

resource operatorUploads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (!empty(operatorId) && operatorUploadsPackage) {
  scope: packages
  name: guid(packages.id, operatorId, roles.blobDataContributor.id)
  properties: {
    principalId: operatorId
    principalType: operatorType
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.blobDataContributor.id)
  }
}
