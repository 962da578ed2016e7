# The servers, and the jobs that run beside them: migrations, the smoke test of a new revision, the verification of the books.

locals {
  address = coalesce(var.public_url, "https://${azurerm_cdn_frontdoor_endpoint.bank.host_name}")
  settings = merge(
    {
      BANK_ENV                  = "production"
      BANK_HOST                 = "0.0.0.0"
      BANK_PORT                 = "8000"
      BANK_PUBLIC_URL           = local.address
      BANK_MIGRATE              = "false" # a job does it, as the owner of the schema
      BANK_TRUSTED_PROXIES      = "100.64.0.0/10,${var.address_space}"
      BANK_STAFF_NETWORKS       = join(",", var.staff_networks)
      BANK_POOL_MAX_SIZE        = tostring(floor(var.database.max_connections * 0.8 / (var.server.maximum * 2)))
      BANK_AUDIT_CHECKPOINTS    = "-" # the logs keep them, where the database's owner cannot rewrite them
      BANK_DRAIN_SECONDS        = "20"
      BANK_LOG_LEVEL            = "INFO"
      BANK_SLOW_REQUEST_SECONDS = "0.5"
    },
    var.settings,
  )
  # What each job runs, when, and with whose rights.
  jobs = {
    migrate = { arguments = ["migrate"], owner = true, schedule = null, minutes = 30 }
    smoke   = { arguments = ["smoke", "https://${local.prefix}---green.${azurerm_container_app_environment.bank.default_domain}"], owner = false, schedule = null, minutes = 5 }
    verify  = { arguments = ["verify"], owner = false, schedule = "17 2 * * *", minutes = 240 }
  }
  registry_id = "/subscriptions/${var.subscription_id}/resourceGroups/${var.registry.resource_group}/providers/Microsoft.ContainerRegistry/registries/${var.registry.name}"
}

resource "azurerm_role_assignment" "pull" {
  scope                = local.registry_id
  role_definition_name = "AcrPull"
  principal_id         = azurerm_user_assigned_identity.bank.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_container_app_environment" "bank" {
  name                           = "cae-${local.prefix}"
  location                       = var.location
  resource_group_name            = azurerm_resource_group.bank.name
  infrastructure_subnet_id       = azurerm_subnet.bank["servers-${var.location}"].id
  internal_load_balancer_enabled = true
  public_network_access          = "Disabled"
  zone_redundancy_enabled        = true
  mutual_tls_enabled             = true
  logs_destination               = "log-analytics"
  log_analytics_workspace_id     = azurerm_log_analytics_workspace.bank.id
  tags                           = local.tags

  workload_profile {
    name                  = "Consumption"
    workload_profile_type = "Consumption"
  }
}

resource "azurerm_container_app" "bank" {
  name                         = local.prefix
  resource_group_name          = azurerm_resource_group.bank.name
  container_app_environment_id = azurerm_container_app_environment.bank.id
  revision_mode                = "Multiple"
  max_inactive_revisions       = 5
  workload_profile_name        = "Consumption"
  tags                         = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.bank.id]
  }

  registry {
    server   = "${var.registry.name}.azurecr.io"
    identity = azurerm_user_assigned_identity.bank.id
  }

  dynamic "secret" {
    for_each = local.secrets
    content {
      name                = secret.value
      identity            = azurerm_user_assigned_identity.bank.id
      key_vault_secret_id = "${azurerm_key_vault.bank.vault_uri}secrets/${secret.value}"
    }
  }

  ingress {
    target_port                = 8000
    transport                  = "http"
    external_enabled           = true # of the environment, whose addresses are private
    allow_insecure_connections = false

    # Pinned to the first revision, and never to the latest one. Later ones begin with nothing, and the scripts shift the traffic.
    traffic_weight {
      label           = "blue"
      revision_suffix = var.revision
      percentage      = 100
    }
  }

  template {
    revision_suffix                  = var.revision
    min_replicas                     = var.server.minimum
    max_replicas                     = var.server.maximum
    termination_grace_period_seconds = 60

    http_scale_rule {
      name                = "requests"
      concurrent_requests = tostring(var.server.requests)
    }

    custom_scale_rule {
      name             = "cpu"
      custom_rule_type = "cpu"
      metadata         = { type = "Utilization", value = "70" }
    }

    container {
      name   = "bank"
      image  = "${var.registry.name}.azurecr.io/${var.image}"
      cpu    = var.server.cpu
      memory = var.server.memory
      args   = ["serve"]

      dynamic "env" {
        for_each = local.settings
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = local.secrets
        content {
          name        = env.key
          secret_name = env.value
        }
      }

      startup_probe {
        transport               = "HTTP"
        port                    = 8000
        path                    = "/health/live"
        interval_seconds        = 2
        failure_count_threshold = 30
      }

      readiness_probe {
        transport               = "HTTP"
        port                    = 8000
        path                    = "/health/ready"
        interval_seconds        = 5
        failure_count_threshold = 2
      }

      liveness_probe {
        transport               = "HTTP"
        port                    = 8000
        path                    = "/health/live"
        interval_seconds        = 10
        failure_count_threshold = 6
      }
    }
  }

  depends_on = [azurerm_role_assignment.secrets, azurerm_role_assignment.pull, azurerm_private_endpoint.bank]

  lifecycle {
    ignore_changes = [ingress[0].traffic_weight]
  }
}

resource "azurerm_container_app_job" "bank" {
  for_each                     = local.jobs
  name                         = "${local.prefix}-${each.key}"
  location                     = var.location
  resource_group_name          = azurerm_resource_group.bank.name
  container_app_environment_id = azurerm_container_app_environment.bank.id
  workload_profile_name        = "Consumption"
  replica_timeout_in_seconds   = each.value.minutes * 60
  replica_retry_limit          = 0
  tags                         = local.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.bank.id]
  }

  registry {
    server   = "${var.registry.name}.azurecr.io"
    identity = azurerm_user_assigned_identity.bank.id
  }

  dynamic "secret" {
    for_each = merge(local.secrets, each.value.owner ? local.owner_secrets : {})
    content {
      name                = secret.value
      identity            = azurerm_user_assigned_identity.bank.id
      key_vault_secret_id = "${azurerm_key_vault.bank.vault_uri}secrets/${secret.value}"
    }
  }

  dynamic "manual_trigger_config" {
    for_each = each.value.schedule == null ? [1] : []
    content {
      parallelism              = 1
      replica_completion_count = 1
    }
  }

  dynamic "schedule_trigger_config" {
    for_each = each.value.schedule == null ? [] : [each.value.schedule]
    content {
      cron_expression          = schedule_trigger_config.value
      parallelism              = 1
      replica_completion_count = 1
    }
  }

  template {
    container {
      name   = each.key
      image  = "${var.registry.name}.azurecr.io/${var.image}"
      cpu    = 1
      memory = "2Gi"
      args   = each.value.arguments

      dynamic "env" {
        for_each = local.settings
        content {
          name  = env.key
          value = env.value
        }
      }

      dynamic "env" {
        for_each = merge(local.secrets, each.value.owner ? local.owner_secrets : {})
        content {
          name        = env.key
          secret_name = env.value
        }
      }
    }
  }

  depends_on = [azurerm_role_assignment.secrets, azurerm_role_assignment.pull, azurerm_private_endpoint.bank]
}
