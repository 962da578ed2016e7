# PostgreSQL 18, in two zones. Two roles use it: its administrator owns the schema and runs the migrations; the servers connect as a
# member of bank_app, which can add to the books and cannot rewrite them.

locals {
  # What the bank needs of PostgreSQL. Nothing that a person wrote gets into its log.
  database_settings = {
    max_connections                     = var.database.max_connections
    max_locks_per_transaction           = var.database.max_locks
    require_secure_transport            = "on"
    ssl_min_protocol_version            = "TLSv1.3"
    log_error_verbosity                 = "terse"
    log_min_error_statement             = "panic"
    log_parameter_max_length            = 0
    log_parameter_max_length_on_error   = 0
    idle_in_transaction_session_timeout = 60000
    track_io_timing                     = "on"
    wal_level                           = "replica"
  }
  replicas = merge(
    var.database.has_replica ? { reads = { location = var.location, zone = var.database.standby_zone } } : {},
    { for location in keys(local.recovery) : "recovery" => { location = location, zone = "1" } },
  )
}

resource "azurerm_postgresql_flexible_server" "bank" {
  name                          = "psql-${local.prefix}-${substr(sha256(var.subscription_id), 0, 6)}"
  location                      = var.location
  resource_group_name           = azurerm_resource_group.bank.name
  version                       = "18"
  sku_name                      = var.database.sku
  storage_mb                    = var.database.storage_mb
  storage_tier                  = var.database.storage_tier
  auto_grow_enabled             = true
  zone                          = var.database.zone
  delegated_subnet_id           = azurerm_subnet.bank["database-${var.location}"].id
  private_dns_zone_id           = azurerm_private_dns_zone.bank["database"].id
  public_network_access_enabled = false

  administrator_login               = "bank_owner"
  administrator_password_wo         = var.administrator_password
  administrator_password_wo_version = var.administrator_password_version

  # Any moment of this time can be restored, in the paired region too.
  backup_retention_days        = var.database.backup_days
  geo_redundant_backup_enabled = !var.customer_managed_keys # with keys of one's own, they would be needed in the paired region too

  high_availability {
    mode                      = "ZoneRedundant"
    standby_availability_zone = var.database.standby_zone
  }

  authentication {
    password_auth_enabled         = true
    active_directory_auth_enabled = false
  }

  dynamic "identity" {
    for_each = var.customer_managed_keys ? [azurerm_user_assigned_identity.encryption[0].id] : []
    content {
      type         = "UserAssigned"
      identity_ids = [identity.value]
    }
  }

  dynamic "customer_managed_key" {
    for_each = var.customer_managed_keys ? [azurerm_key_vault_key.encryption[0].versionless_id] : []
    content {
      key_vault_key_id                  = customer_managed_key.value
      primary_user_assigned_identity_id = azurerm_user_assigned_identity.encryption[0].id
    }
  }

  maintenance_window {
    day_of_week  = 0
    start_hour   = 3
    start_minute = 0
  }

  tags = local.tags

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [zone, high_availability[0].standby_availability_zone] # they swap at a failover
  }

  depends_on = [azurerm_private_dns_zone_virtual_network_link.bank]
}

resource "azurerm_postgresql_flexible_server_configuration" "bank" {
  for_each  = local.database_settings
  name      = each.key
  server_id = azurerm_postgresql_flexible_server.bank.id
  value     = tostring(each.value)
}

resource "azurerm_postgresql_flexible_server_database" "bank" {
  name      = "bank"
  server_id = azurerm_postgresql_flexible_server.bank.id
  charset   = "UTF8"
  collation = "C.UTF-8"

  lifecycle {
    prevent_destroy = true
  }
}

# One to read from, and one in the second region to fail over to.
resource "azurerm_postgresql_flexible_server" "replica" {
  for_each                      = local.replicas
  name                          = "psql-${local.prefix}-${substr(sha256(var.subscription_id), 0, 6)}-${each.key}"
  location                      = each.value.location
  resource_group_name           = azurerm_resource_group.bank.name
  create_mode                   = "Replica"
  source_server_id              = azurerm_postgresql_flexible_server.bank.id
  zone                          = each.value.zone
  delegated_subnet_id           = azurerm_subnet.bank["database-${each.value.location}"].id
  private_dns_zone_id           = azurerm_private_dns_zone.bank["database"].id
  public_network_access_enabled = false
  auto_grow_enabled             = true
  tags                          = local.tags

  lifecycle {
    prevent_destroy = true
    ignore_changes  = [zone, create_mode, source_server_id] # a replica that was promoted is none any more
  }
}

# Beyond what can be restored to the second: a backup a week for a year, in a vault whose backups nobody can delete.
resource "azurerm_data_protection_backup_vault" "bank" {
  name                         = "bv-${local.prefix}"
  location                     = var.location
  resource_group_name          = azurerm_resource_group.bank.name
  datastore_type               = "VaultStore"
  redundancy                   = "GeoRedundant"
  cross_region_restore_enabled = true
  immutability                 = "Unlocked" # lock it by hand once it is right: that cannot be undone
  soft_delete                  = "On"
  retention_duration_in_days   = 30
  tags                         = local.tags

  identity {
    type = "SystemAssigned"
  }
}

resource "azurerm_role_assignment" "backup" {
  scope                = azurerm_postgresql_flexible_server.bank.id
  role_definition_name = "PostgreSQL Flexible Server Long Term Retention Backup Role"
  principal_id         = azurerm_data_protection_backup_vault.bank.identity[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_data_protection_backup_policy_postgresql_flexible_server" "bank" {
  name                            = "weekly"
  vault_id                        = azurerm_data_protection_backup_vault.bank.id
  backup_repeating_time_intervals = ["R/2026-01-04T02:30:00+00:00/P1W"]
  time_zone                       = "UTC"

  default_retention_rule {
    life_cycle {
      data_store_type = "VaultStore"
      duration        = "P12M"
    }
  }
}

resource "azurerm_data_protection_backup_instance_postgresql_flexible_server" "bank" {
  name             = "bank"
  location         = var.location
  vault_id         = azurerm_data_protection_backup_vault.bank.id
  server_id        = azurerm_postgresql_flexible_server.bank.id
  backup_policy_id = azurerm_data_protection_backup_policy_postgresql_flexible_server.bank.id

  depends_on = [azurerm_role_assignment.backup]
}
