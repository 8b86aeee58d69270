param location string
param tags object
param namespaceId string
param queueName string
param componentId string
param componentName string

@description('Who is told; empty: alerts are raised, but nobody is told.')
param email string

@description('How far the newest window of a job may lag behind its schedule.')
@minValue(1)
param windowLagMinutes int

var actionGroupIds = empty(email) ? [] : [
  people.id
]

var queryAlerts = [
  {
    name: 'window-lag'
    severity: 2
    summary: 'A job has not exported a window that is long due.'
    advice: 'Look at the queue, the dead letters (tailrace dlq) and the traces of the timer.'
    query: 'customMetrics | where name == "tailrace.window_lag_seconds" | summarize lag = max(value) by bin(timestamp, 5m) | where lag > ${windowLagMinutes * 60}'
    window: 'PT15M'
  }
  {
    name: 'failures'
    severity: 3
    summary: 'Exports fail again and again, or were given up.'
    advice: 'Look at the reason in the traces of the export function or job; a source or the storage may be unavailable.'
    query: 'customMetrics | where name in ("tailrace.retries", "tailrace.dead_letters") | summarize failures = sum(value) | where failures >= 5'
    window: 'PT15M'
  }
  {
    name: 'audit-drift'
    severity: 2
    summary: 'Exports differ from their source, or are missing.'
    advice: 'See which windows by tailrace audit, why they differ, and export them again by tailrace audit --export-again.'
    query: 'customMetrics | where name == "tailrace.audit_drift" | summarize drift = max(value) | where drift > 0'
    window: 'PT15M'
  }
  {
    name: 'drill-failures'
    severity: 1
    summary: 'A blob cannot be restored.'
    advice: 'See why by tailrace restore --check, and export the window again while the source has its rows.'
    query: 'customMetrics | where name == "tailrace.drill_failures" | summarize failed = max(value) | where failed > 0'
    window: 'PT15M'
  }
  {
    name: 'silent-schedule'
    severity: 2
    summary: 'The timer has not run for an hour, so nothing new is exported.'
    advice: 'See whether the function app runs, and whether schedule_exports is enabled and indexed.'
    query: 'requests | where name == "schedule_exports" and success == true | summarize runs = count() | where runs == 0'
    window: 'PT1H'
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = if (!empty(email)) {
  name: '${componentName}-people'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'tailrace'
    enabled: true
    emailReceivers: [
      {
        name: 'people'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

// From Service Bus itself, so that it also tells of what no worker lived to report.
resource deadLetters 'Microsoft.Insights/metricAlerts@2018-03-01' = {
  name: '${componentName}-dead-letters'
  location: 'global'
  tags: tags
  properties: {
    description: 'A request was given up. Read its reason with tailrace dlq, remove the cause, then replay it.'
    severity: 1
    enabled: true
    scopes: [
      namespaceId
    ]
    evaluationFrequency: 'PT5M'
    windowSize: 'PT5M'
    criteria: {
      'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
      allOf: [
        {
          name: 'dead-letters'
          criterionType: 'StaticThresholdCriterion'
          metricNamespace: 'Microsoft.ServiceBus/namespaces'
          metricName: 'DeadletteredMessages'
          dimensions: [
            {
              name: 'EntityName'
              operator: 'Include'
              values: [
                queueName
              ]
            }
          ]
          operator: 'GreaterThan'
          threshold: 0
          timeAggregation: 'Maximum'
        }
      ]
    }
    actions: [for id in actionGroupIds: {
      actionGroupId: id
    }]
  }
}

resource queries 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [for alert in queryAlerts: {
  name: '${componentName}-${alert.name}'
  location: location
  tags: tags
  kind: 'LogAlert'
  properties: {
    displayName: 'Tailrace: ${alert.name}'
    description: '${alert.summary} ${alert.advice}'
    severity: alert.severity
    enabled: true
    scopes: [
      componentId
    ]
    evaluationFrequency: 'PT15M'
    windowSize: alert.window
    autoMitigate: true
    criteria: {
      allOf: [
        {
          query: alert.query
          timeAggregation: 'Count'
          operator: 'GreaterThan'
          threshold: 0
          failingPeriods: {
            numberOfEvaluationPeriods: 1
            minFailingPeriodsToAlert: 1
          }
        }
      ]
    }
    actions: {
      actionGroups: actionGroupIds
    }
  }
}]
