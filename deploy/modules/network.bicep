param name string
param location string
param tags object

@description('At least a /20, free of the networks that it may be peered with.')
param addressSpace string

@description('Flex Consumption: Microsoft.App/environments. Premium: Microsoft.Web/serverFarms.')
param functionsDelegation string

var zoneNames = {
  blob: 'privatelink.blob.${environment().suffixes.storage}'
  table: 'privatelink.table.${environment().suffixes.storage}'
  serviceBus: 'privatelink.servicebus.windows.net'
  postgres: 'privatelink.postgres.database.azure.com'
}

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        addressSpace
      ]
    }
    subnets: [
      {
        name: 'functions'
        properties: {
          addressPrefix: cidrSubnet(addressSpace, 24, 0)
          delegations: [
            {
              name: 'functions'
              properties: {
                serviceName: functionsDelegation
              }
            }
          ]
        }
      }
      {
        name: 'containers'
        properties: {
          addressPrefix: cidrSubnet(addressSpace, 24, 1)
          delegations: [
            {
              name: 'containers'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(addressSpace, 24, 2)
        }
      }
    ]
  }
}

resource zones 'Microsoft.Network/privateDnsZones@2024-06-01' = [for zone in items(zoneNames): {
  name: zone.value
  location: 'global'
  tags: tags
}]

resource links 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [for (zone, index) in items(zoneNames): {
  parent: zones[index]
  name: name
  location: 'global'
  tags: tags
  properties: {
    registrationEnabled: false
    virtualNetwork: {
      id: network.id
    }
  }
}]

output functionsSubnetId string = '${network.id}/subnets/functions'
output containersSubnetId string = '${network.id}/subnets/containers'
output endpointsSubnetId string = '${network.id}/subnets/endpoints'
output blobZoneId string = resourceId('Microsoft.Network/privateDnsZones', zoneNames.blob)
output tableZoneId string = resourceId('Microsoft.Network/privateDnsZones', zoneNames.table)
output serviceBusZoneId string = resourceId('Microsoft.Network/privateDnsZones', zoneNames.serviceBus)
output postgresZoneId string = resourceId('Microsoft.Network/privateDnsZones', zoneNames.postgres)
