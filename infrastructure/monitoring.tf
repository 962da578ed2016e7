# Logs, traces, alerts, the budget. What Prometheus measures has its own rules: see observability/.

locals {
  # Whose platform logs are kept.
  observed = merge(
    {
      database = azurerm_postgresql_flexible_server.bank.id
      vault    = azurerm_key_vault.bank.id
      edge     = azurerm_cdn_frontdoor_profile.bank.id
      servers  = azurerm_container_app_environment.bank.id
      blobs    = "${azurerm_storage_account.bank.id}/blobServices/default"
    },
    { for each in azurerm_managed_redis.bank : "redis" => each.id },
  )

  # What is wrong when a line like this is in the log of a server. The threshold is the number of lines in the window.
  log_alerts = {
    faults        = { says = "a field failed", above = 0, window = "PT5M", severity = 1, description = "Requests end in faults: runbook Error rate." }
    database-away = { says = "PostgreSQL cannot be", above = 0, window = "PT5M", severity = 0, description = "The database cannot be reached: runbook Database down." }
    not-writable  = { says = "the database cannot be written to", above = 0, window = "PT5M", severity = 0, description = "The database cannot be written to: runbook Disk full." }
    feed          = { says = "the feed cannot be read", above = 3, window = "PT15M", severity = 2, description = "Subscribers get no events: runbook Feed lag." }
    jobs          = { says = "a job failed and is tried again", above = 5, window = "PT15M", severity = 2, description = "A periodic job fails: runbook Jobs." }
    mails         = { says = "a mail cannot be sent", above = 5, window = "PT15M", severity = 2, description = "Mails cannot be sent: runbook Mails." }
    replica       = { says = "the replica is left out", above = 3, window = "PT15M", severity = 3, description = "Reads go to the primary: runbook Replica unused." }
    wrong-books   = { says = "WRONG ", above = 0, window = "PT1H", severity = 0, description = "verify found a discrepancy: runbook Ledger problems." }
  }

  # What is wrong when a figure of the platform is beyond a threshold.
  metric_alerts = {
    database-down        = { of = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metric = "is_db_alive", aggregation = "Minimum", operator = "LessThan", threshold = 1, severity = 0 }
    database-cpu         = { of = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metric = "cpu_percent", aggregation = "Average", operator = "GreaterThan", threshold = 85, severity = 2 }
    database-disk        = { of = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metric = "storage_percent", aggregation = "Maximum", operator = "GreaterThan", threshold = 80, severity = 1 }
    database-connections = { of = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metric = "active_connections", aggregation = "Maximum", operator = "GreaterThan", threshold = var.database.max_connections * 0.85, severity = 2 }
    edge-errors          = { of = "edge", namespace = "Microsoft.Cdn/profiles", metric = "Percentage5XX", aggregation = "Average", operator = "GreaterThan", threshold = 1, severity = 1 }
    edge-latency         = { of = "edge", namespace = "Microsoft.Cdn/profiles", metric = "TotalLatency", aggregation = "Average", operator = "GreaterThan", threshold = 1000, severity = 2 }
  }
}

resource "azurerm_log_analytics_workspace" "bank" {
  name                         = "log-${local.prefix}"
  location                     = var.location
  resource_group_name          = azurerm_resource_group.bank.name
  sku                          = "PerGB2018"
  retention_in_days            = var.log_days
  local_authentication_enabled = true # the environment of the containers knows no other
  tags                         = local.tags
}

resource "azurerm_application_insights" "bank" {
  name                = "appi-${local.prefix}"
  location            = var.location
  resource_group_name = azurerm_resource_group.bank.name
  workspace_id        = azurerm_log_analytics_workspace.bank.id
  application_type    = "web"
  ip_masking_enabled  = true
  sampling_percentage = 10
  tags                = local.tags
}

resource "azurerm_monitor_diagnostic_setting" "bank" {
  for_each                   = local.observed
  name                       = "to-logs"
  target_resource_id         = each.value
  log_analytics_workspace_id = azurerm_log_analytics_workspace.bank.id

  enabled_log {
    category_group = "allLogs"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}

resource "azurerm_monitor_action_group" "bank" {
  name                = "ag-${local.prefix}"
  resource_group_name = azurerm_resource_group.bank.name
  short_name          = substr(var.name, 0, 12)
  tags                = local.tags

  dynamic "email_receiver" {
    for_each = var.alert_addresses
    content {
      name                    = "address-${email_receiver.key}"
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "bank" {
  for_each              = local.log_alerts
  name                  = "alert-${local.prefix}-${each.key}"
  location              = var.location
  resource_group_name   = azurerm_resource_group.bank.name
  scopes                = [azurerm_log_analytics_workspace.bank.id]
  severity              = each.value.severity
  evaluation_frequency  = each.value.window
  skip_query_validation = true # the table of the logs comes with the first line
  window_duration       = each.value.window
  description           = each.value.description
  tags                  = local.tags

  criteria {
    query                   = <<-KQL
      ContainerAppConsoleLogs_CL
      | where ContainerAppName_s startswith "${local.prefix}" or ContainerJobName_s startswith "${local.prefix}"
      | where Log_s contains_cs "${each.value.says}"
    KQL
    time_aggregation_method = "Count"
    operator                = "GreaterThan"
    threshold               = each.value.above

    failing_periods {
      minimum_failing_periods_to_trigger_alert = 1
      number_of_evaluation_periods             = 1
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.bank.id]
  }
}

resource "azurerm_monitor_metric_alert" "bank" {
  for_each            = local.metric_alerts
  name                = "alert-${local.prefix}-${each.key}"
  resource_group_name = azurerm_resource_group.bank.name
  scopes              = [local.observed[each.value.of]]
  severity            = each.value.severity
  frequency           = "PT1M"
  window_size         = "PT5M"
  tags                = local.tags

  criteria {
    metric_namespace = each.value.namespace
    metric_name      = each.value.metric
    aggregation      = each.value.aggregation
    operator         = each.value.operator
    threshold        = each.value.threshold
  }

  action {
    action_group_id = azurerm_monitor_action_group.bank.id
  }
}

resource "azurerm_consumption_budget_resource_group" "bank" {
  name              = "budget-${local.prefix}"
  resource_group_id = azurerm_resource_group.bank.id
  amount            = var.budget.amount
  time_grain        = "Monthly"

  time_period {
    start_date = "${var.budget.start}T00:00:00Z"
  }

  notification {
    operator       = "GreaterThan"
    threshold      = 80
    threshold_type = "Actual"
    contact_emails = var.alert_addresses
  }

  notification {
    operator       = "GreaterThan"
    threshold      = 100
    threshold_type = "Forecasted"
    contact_emails = var.alert_addresses
  }
}
