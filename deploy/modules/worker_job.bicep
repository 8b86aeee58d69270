// `tailrace work` as a job: one execution takes messages until the queue is empty, and then ends. An app of long
// running replicas would be scaled in while exports run, with ten minutes of grace at most.
param name string
param environmentName string
param location string
param tags object
param image string
param registryServer string
param identityId string
param namespaceName string
param queueName string
param workspaceId string
param componentName string
param identityClientId string

@description('What the app itself reads; main.bicep makes it for functions and containers alike.')
param exportSettings object

@description('The containers part of capacity.values.json.')
param capacity object

@description('Empty without a private network.')
param subnetId string

var jobSettings = {
  APPLICATIONINSIGHTS_CONNECTION_STRING: component.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  TAILRACE_CONCURRENCY: string(capacity.concurrency)
  TAILRACE_POOL_SIZE: string(capacity.poolSize)
  TAILRACE_MAX_STREAMS: string(capacity.maxStreams)
}

resource component 'Microsoft.Insights/components@2020-02-02' existing = {
  name: componentName
}

resource containerEnvironment 'Microsoft.App/managedEnvironments@2025-01-01' = {
  name: environmentName
  location: location
  tags: tags
  properties: {
    // By way of diagnostic settings, as the other way takes the workspace's shared key.
    appLogsConfiguration: {
      destination: 'azure-monitor'
    }
    vnetConfiguration: empty(subnetId) ? null : {
      infrastructureSubnetId: subnetId
      internal: true
    }
    workloadProfiles: [
      {
        name: 'Consumption'
        workloadProfileType: 'Consumption'
      }
    ]
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  scope: containerEnvironment
  name: 'logs'
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'allLogs'
        enabled: true
      }
    ]
  }
}

resource job 'Microsoft.App/jobs@2025-01-01' = {
  name: name
  location: location
  tags: tags
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: {
      '${identityId}': {}
    }
  }
  properties: {
    environmentId: containerEnvironment.id
    workloadProfileName: 'Consumption'
    configuration: {
      triggerType: 'Event'
      replicaTimeout: capacity.replicaTimeoutSeconds
      // The queue delivers again what an execution left undone.
      replicaRetryLimit: 0
      registries: [
        {
          server: registryServer
          identity: identityId
        }
      ]
      eventTriggerConfig: {
        parallelism: 1
        replicaCompletionCount: 1
        scale: {
          minExecutions: 0
          maxExecutions: capacity.maxExecutions
          pollingInterval: 30
          rules: [
            {
              name: 'queue'
              type: 'azure-servicebus'
              identity: identityId
              metadata: {
                namespace: namespaceName
                queueName: queueName
                messageCount: string(capacity.concurrency)
              }
            }
          ]
        }
      }
    }
    template: {
      containers: [
        {
          name: 'worker'
          image: image
          args: [
            'work'
            '--until-empty'
          ]
          env: map(items(union(exportSettings, jobSettings)), setting => {
            name: setting.key
            value: setting.value
          })
          resources: {
            cpu: json(capacity.cpu)
            memory: capacity.memory
          }
        }
      ]
    }
  }
}

output name string = job.name
