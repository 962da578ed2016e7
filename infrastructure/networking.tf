# One network in each region. Nothing in it has a public address: Front Door reaches the servers by a private link.

locals {
  regions = merge({ (var.location) = "main" }, local.recovery)
  networks = {
    for location, role in local.regions :
    location => role == "main" ? var.address_space : var.recovery_address_space
  }
  subnets = {
    servers   = { offset = 0, bits = 3, delegation = "Microsoft.App/environments" }
    database  = { offset = 8, bits = 5, delegation = "Microsoft.DBforPostgreSQL/flexibleServers" }
    endpoints = { offset = 9, bits = 5, delegation = null }
  }
  placed = {
    for pair in setproduct(keys(local.regions), keys(local.subnets)) :
    "${pair[1]}-${pair[0]}" => merge(local.subnets[pair[1]], { location = pair[0], name = pair[1] })
  }
  # Who may open a connection to a subnet. What is not named is denied.
  rules = {
    servers   = [{ from = "VirtualNetwork", ports = ["*"] }, { from = "AzureLoadBalancer", ports = ["30000-32767"] }]
    database  = [{ from = "VirtualNetwork", ports = ["5432", "6432"] }]
    endpoints = [{ from = "VirtualNetwork", ports = ["443", "10000"] }]
  }
}

resource "azurerm_virtual_network" "bank" {
  for_each            = local.networks
  name                = "vnet-${local.prefix}-${each.key}"
  location            = each.key
  resource_group_name = azurerm_resource_group.bank.name
  address_space       = [each.value]
  tags                = local.tags
}

resource "azurerm_subnet" "bank" {
  for_each                          = local.placed
  name                              = "snet-${each.value.name}"
  resource_group_name               = azurerm_resource_group.bank.name
  virtual_network_name              = azurerm_virtual_network.bank[each.value.location].name
  address_prefixes                  = [cidrsubnet(local.networks[each.value.location], each.value.bits, each.value.offset)]
  default_outbound_access_enabled   = each.value.name == "servers"
  private_endpoint_network_policies = "Enabled"

  dynamic "delegation" {
    for_each = each.value.delegation == null ? [] : [each.value.delegation]
    content {
      name = "delegation"
      service_delegation {
        name    = delegation.value
        actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
      }
    }
  }
}

resource "azurerm_network_security_group" "bank" {
  for_each            = local.placed
  name                = "nsg-${local.prefix}-${each.key}"
  location            = each.value.location
  resource_group_name = azurerm_resource_group.bank.name
  tags                = local.tags

  dynamic "security_rule" {
    for_each = local.rules[each.value.name]
    content {
      name                       = "allow-${security_rule.key}"
      priority                   = 100 + security_rule.key
      direction                  = "Inbound"
      access                     = "Allow"
      protocol                   = "Tcp"
      source_address_prefix      = security_rule.value.from
      source_port_range          = "*"
      destination_address_prefix = "*"
      destination_port_ranges    = security_rule.value.ports
    }
  }

  security_rule {
    name                       = "deny-others"
    priority                   = 4000
    direction                  = "Inbound"
    access                     = "Deny"
    protocol                   = "*"
    source_address_prefix      = "*"
    source_port_range          = "*"
    destination_address_prefix = "*"
    destination_port_range     = "*"
  }
}

resource "azurerm_subnet_network_security_group_association" "bank" {
  for_each                  = local.placed
  subnet_id                 = azurerm_subnet.bank[each.key].id
  network_security_group_id = azurerm_network_security_group.bank[each.key].id
}

locals {
  zones = {
    database = "${local.prefix}.private.postgres.database.azure.com"
    vault    = "privatelink.vaultcore.azure.net"
    blob     = "privatelink.blob.core.windows.net"
    redis    = "privatelink.redis.azure.net"
  }
  linked = { for pair in setproduct(keys(local.zones), keys(local.regions)) : "${pair[0]}-${pair[1]}" => pair }
  # What is reached by a private endpoint, and the part of it that is.
  private = merge(
    {
      vault = { id = azurerm_key_vault.bank.id, part = "vault" }
      blob  = { id = azurerm_storage_account.bank.id, part = "blob" }
    },
    { for each in azurerm_managed_redis.bank : "redis" => { id = each.id, part = "redisEnterprise" } },
  )
}

resource "azurerm_private_dns_zone" "bank" {
  for_each            = local.zones
  name                = each.value
  resource_group_name = azurerm_resource_group.bank.name
  tags                = local.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "bank" {
  for_each            = local.linked
  name                = each.key
  private_dns_zone_id = azurerm_private_dns_zone.bank[each.value[0]].id
  virtual_network_id  = azurerm_virtual_network.bank[each.value[1]].id
  tags                = local.tags
}

resource "azurerm_private_endpoint" "bank" {
  for_each            = local.private
  name                = "pe-${local.prefix}-${each.key}"
  location            = var.location
  resource_group_name = azurerm_resource_group.bank.name
  subnet_id           = azurerm_subnet.bank["endpoints-${var.location}"].id
  tags                = local.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.value.id
    subresource_names              = [each.value.part]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = each.key
    private_dns_zone_ids = [azurerm_private_dns_zone.bank[each.key].id]
  }
}

# The replica follows the primary over this connection, and whoever is left after a failover is reached over it.
resource "azurerm_virtual_network_peering" "there" {
  for_each                  = local.recovery
  name                      = "to-recovery"
  resource_group_name       = azurerm_resource_group.bank.name
  virtual_network_name      = azurerm_virtual_network.bank[var.location].name
  remote_virtual_network_id = azurerm_virtual_network.bank[each.key].id
}

resource "azurerm_virtual_network_peering" "back" {
  for_each                  = local.recovery
  name                      = "to-main"
  resource_group_name       = azurerm_resource_group.bank.name
  virtual_network_name      = azurerm_virtual_network.bank[each.key].name
  remote_virtual_network_id = azurerm_virtual_network.bank[var.location].id
}
