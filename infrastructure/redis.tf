# Redis wakes the processes for the feed and shares rate limits. It holds nothing that is missed when it is lost.

resource "azurerm_managed_redis" "bank" {
  count                     = var.redis_sku == null ? 0 : 1
  name                      = "redis-${local.prefix}"
  location                  = var.location
  resource_group_name       = azurerm_resource_group.bank.name
  sku_name                  = var.redis_sku
  high_availability_enabled = true
  public_network_access     = "Disabled"
  tags                      = local.tags

  default_database {
    access_keys_authentication_enabled = true
    client_protocol                    = "Encrypted"
    clustering_policy                  = "EnterpriseCluster"
    eviction_policy                    = "VolatileLRU"
  }
}
