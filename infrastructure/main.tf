# The bank on Azure. README.md beside this file says how to begin, and what lies in the state.

terraform {
  required_version = ">= 1.15, < 2"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 5.10"
    }
  }

  # Filled in from environments/*.backend.hcl: a storage account that is locked against deletion, and that locks the state.
  backend "azurerm" {}
}

provider "azurerm" {
  subscription_id = var.subscription_id

  features {
    key_vault {
      purge_soft_delete_on_destroy = false
    }
    resource_group {
      prevent_deletion_if_contains_resources = true
    }
  }
}

data "azurerm_client_config" "current" {}

locals {
  prefix = "${var.name}-${var.environment}"
  # Names that may have letters and digits only, and are unique in the world.
  compact = substr(replace("${var.name}${var.environment}${substr(sha256(var.subscription_id), 0, 6)}", "-", ""), 0, 21)
  tags    = merge(var.tags, { application = "bank_graphql", environment = var.environment })
  # The second region is there only if it is named.
  recovery = var.recovery_location == null ? {} : { (var.recovery_location) = "recovery" }
}

resource "azurerm_resource_group" "bank" {
  name     = "rg-${local.prefix}"
  location = var.location
  tags     = local.tags
}

resource "azurerm_management_lock" "bank" {
  count      = var.environment == "production" ? 1 : 0
  name       = "keep"
  scope      = azurerm_resource_group.bank.id
  lock_level = "CanNotDelete"
  notes      = "The bank's books. Remove this lock by hand, and only to move them."
}

# What the server and its jobs are to Azure. It may read secrets, pull images and write backups, and nothing else.
resource "azurerm_user_assigned_identity" "bank" {
  name                = "id-${local.prefix}"
  location            = var.location
  resource_group_name = azurerm_resource_group.bank.name
  tags                = local.tags
}
