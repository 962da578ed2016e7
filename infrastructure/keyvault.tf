# The bank's secrets: the addresses of the database with their passwords, and the keys that sign tokens and protect card numbers.
# People put them there (see the README). Terraform knows their names and never reads them.

locals {
  # The names of the secrets in the vault, by the settings that they are given as.
  secrets = merge(
    {
      DATABASE_URL       = "database-url"
      BANK_SIGNING_KEYS  = "signing-keys"
      BANK_CARD_KEYS     = "card-keys"
      BANK_METRICS_TOKEN = "metrics-token"
    },
    var.database.has_replica ? { BANK_REPLICA_URL = "replica-url" } : {},
    var.redis_sku == null ? {} : { BANK_REDIS_URL = "redis-url" },
  )
  # The migrations alone get the owner's.
  owner_secrets = { DATABASE_URL = "owner-database-url" }
}

resource "azurerm_key_vault" "bank" {
  name                          = "kv-${local.compact}"
  location                      = var.location
  resource_group_name           = azurerm_resource_group.bank.name
  tenant_id                     = data.azurerm_client_config.current.tenant_id
  sku_name                      = "premium"
  rbac_authorization_enabled    = true
  purge_protection_enabled      = true
  soft_delete_retention_days    = 90
  public_network_access_enabled = false
  tags                          = local.tags

  network_acls {
    bypass         = "AzureServices"
    default_action = "Deny"
  }
}

resource "azurerm_role_assignment" "secrets" {
  scope                = azurerm_key_vault.bank.id
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.bank.principal_id
  principal_type       = "ServicePrincipal"
}

# Keys with which Azure encrypts the database and the storage, if they are to be the bank's own. They rotate by themselves.
resource "azurerm_user_assigned_identity" "encryption" {
  count               = var.customer_managed_keys ? 1 : 0
  name                = "id-${local.prefix}-encryption"
  location            = var.location
  resource_group_name = azurerm_resource_group.bank.name
  tags                = local.tags
}

resource "azurerm_role_assignment" "encryption" {
  count                = var.customer_managed_keys ? 1 : 0
  scope                = azurerm_key_vault.bank.id
  role_definition_name = "Key Vault Crypto Service Encryption User"
  principal_id         = azurerm_user_assigned_identity.encryption[0].principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_key_vault_key" "encryption" {
  count        = var.customer_managed_keys ? 1 : 0
  name         = "encryption"
  key_vault_id = azurerm_key_vault.bank.id
  key_type     = "RSA-HSM"
  key_size     = 3072
  key_opts     = ["wrapKey", "unwrapKey"]

  rotation_policy {
    expire_after         = "P2Y"
    notify_before_expiry = "P30D"
    automatic {
      time_after_creation = "P1Y"
    }
  }

  depends_on = [azurerm_role_assignment.encryption]
}
