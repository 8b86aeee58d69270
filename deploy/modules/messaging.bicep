param name string
param location string
param tags object
param queueName string

@description('Deliveries after which Service Bus itself dead-letters a message; from capacity.values.json.')
param maxDeliveryCount int

@description('True: no public access, and the Premium tier, as no other has private endpoints.')
param isPrivate bool

resource namespace 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: isPrivate ? {
    name: 'Premium'
    tier: 'Premium'
    capacity: 1
  } : {
    // Basic has no duplicate detection.
    name: 'Standard'
    tier: 'Standard'
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: isPrivate ? 'Disabled' : 'Enabled'
  }
}

resource queue 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = {
  parent: namespace
  name: queueName
  properties: {
    // The longest that Service Bus offers; it is renewed while an export runs.
    lockDuration: 'PT5M'
    maxDeliveryCount: maxDeliveryCount
    requiresDuplicateDetection: true
    duplicateDetectionHistoryTimeWindow: 'P1D'
    deadLetteringOnMessageExpiration: true
    defaultMessageTimeToLive: 'P14D'
  }
}

output namespaceId string = namespace.id
output namespaceName string = namespace.name
output queueName string = queue.name
output host string = '${namespace.name}.servicebus.windows.net'
