param location string
param tags object
param componentId string
param namespaceId string
param queueName string

var source = loadTextContent('../workbook.json')
var withComponent = replace(source, '{{componentId}}', componentId)
var withNamespace = replace(withComponent, '{{serviceBusId}}', namespaceId)

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(componentId, 'tailrace')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Tailrace exports'
    category: 'workbook'
    sourceId: componentId
    serializedData: replace(withNamespace, '{{queueName}}', queueName)
  }
}
