# For the encrypted files of `bank-graphql backup`, and for statements that are archived: neither can be changed for a while. The
# database's own backups are beside the database.

locals {
  containers = ["backups", "statements"]
}

resource "azurerm_storage_account" "bank" {
  name                              = "st${local.compact}"
  location                          = var.location
  resource_group_name               = azurerm_resource_group.bank.name
  account_tier                      = "Standard"
  account_replication_type          = "GZRS"
  account_kind                      = "StorageV2"
  access_tier                       = "Cool"
  min_tls_version                   = "TLS1_2"
  https_traffic_only_enabled        = true
  public_network_access_enabled     = false
  allow_nested_items_to_be_public   = false
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  cross_tenant_replication_enabled  = false
  local_user_enabled                = false
  infrastructure_encryption_enabled = true
  tags                              = local.tags

  blob_properties {
    versioning_enabled       = true
    change_feed_enabled      = true
    last_access_time_enabled = true
    delete_retention_policy {
      days = 30
    }
    container_delete_retention_policy {
      days = 30
    }
  }

  network_rules {
    default_action = "Deny"
    bypass         = ["AzureServices"]
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
      key_vault_key_id          = customer_managed_key.value
      user_assigned_identity_id = azurerm_user_assigned_identity.encryption[0].id
    }
  }

  lifecycle {
    prevent_destroy = true
  }
}

resource "azurerm_storage_container" "bank" {
  for_each              = toset(local.containers)
  name                  = each.key
  storage_account_id    = azurerm_storage_account.bank.id
  container_access_type = "private"
}

# Not locked: a locked policy can never be shortened. Lock it by hand once the number of days is the right one.
resource "azurerm_storage_container_immutability_policy" "bank" {
  for_each                              = azurerm_storage_container.bank
  storage_container_resource_manager_id = each.value.id
  immutability_period_in_days           = var.retention_days
  protected_append_writes_enabled       = false
}

resource "azurerm_storage_management_policy" "bank" {
  storage_account_id = azurerm_storage_account.bank.id

  rule {
    name    = "backups"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["backups/"]
    }
    actions {
      base_blob {
        tier_to_cold_after_days_since_creation_greater_than = 30
        delete_after_days_since_creation_greater_than       = 365
      }
      version {
        delete_after_days_since_creation = 90
      }
    }
  }

  # Ten years: books are kept that long.
  rule {
    name    = "statements"
    enabled = true
    filters {
      blob_types   = ["blockBlob"]
      prefix_match = ["statements/"]
    }
    actions {
      base_blob {
        tier_to_cold_after_days_since_creation_greater_than    = 90
        tier_to_archive_after_days_since_creation_greater_than = 365
        delete_after_days_since_creation_greater_than          = 3660
      }
    }
  }
}

resource "azurerm_role_assignment" "backups" {
  scope                = azurerm_storage_container.bank["backups"].id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.bank.principal_id
  principal_type       = "ServicePrincipal"
}
