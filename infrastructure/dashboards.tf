# What people look at in Azure: a dashboard of the platform's figures, and a workbook with the queries of the logs.

locals {
  # The charts of the dashboard, from left to right and top to bottom.
  charts = [
    { title = "Requests, and those that failed", of = "edge", namespace = "Microsoft.Cdn/profiles", metrics = { RequestCount = 1, Percentage5XX = 4 } },
    { title = "Response time, ms", of = "edge", namespace = "Microsoft.Cdn/profiles", metrics = { TotalLatency = 4, OriginLatency = 4 } },
    { title = "Servers and restarts", of = "app", namespace = "Microsoft.App/containerApps", metrics = { Replicas = 3, RestartCount = 3 } },
    { title = "Processor and memory of the database, %", of = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metrics = { cpu_percent = 4, memory_percent = 4 } },
    { title = "Connections to the database", of = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metrics = { active_connections = 3 } },
    { title = "Disk of the database, %", of = "database", namespace = "Microsoft.DBforPostgreSQL/flexibleServers", metrics = { storage_percent = 3, disk_iops_consumed_percentage = 3 } },
  ]
  charted = merge(local.observed, { app = azurerm_container_app.bank.id })

  # The queries of the workbook, and their titles.
  queries = {
    slow-operations   = "Slow operations"
    revisions         = "Revisions: faults and slow requests"
    refusals          = "Rejections and errors (with BANK_LOG_REQUESTS)"
    refused-log-ins   = "Refused log-ins by address"
    feed-lag          = "When the feed could not be read"
    errors-by-request = "All of one request: edit the query"
  }
}

resource "azurerm_portal_dashboard" "bank" {
  name                = "dash-${local.prefix}"
  location            = var.location
  resource_group_name = azurerm_resource_group.bank.name
  tags                = merge(local.tags, { hidden-title = "Bank, ${var.environment}" })

  dashboard_properties = jsonencode({
    lenses = {
      "0" = {
        order = 0
        parts = {
          for number, chart in local.charts : tostring(number) => {
            position = { x = number % 3 * 6, y = floor(number / 3) * 4, colSpan = 6, rowSpan = 4 }
            metadata = {
              type   = "Extension/HubsExtension/PartType/MonitorChartPart"
              inputs = []
              settings = {
                content = {
                  options = {
                    chart = {
                      title = chart.title
                      metrics = [for name, aggregation in chart.metrics : {
                        resourceMetadata = { id = local.charted[chart.of] }
                        name             = name
                        namespace        = chart.namespace
                        aggregationType  = aggregation
                      }]
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    metadata = { model = { timeRange = { type = "MsPortalFx.Composition.Configuration.ValueTypes.TimeRange", value = { relative = { duration = 24, timeUnit = 1 } } } } }
  })
}

resource "azurerm_application_insights_workbook" "bank" {
  name                = uuidv5("dns", local.prefix)
  location            = var.location
  resource_group_name = azurerm_resource_group.bank.name
  display_name        = "Bank, ${var.environment}"
  source_id           = lower(azurerm_log_analytics_workspace.bank.id)
  tags                = local.tags

  data_json = jsonencode({
    version = "Notebook/1.0"
    items = [for name, title in local.queries : {
      type = 3
      name = name
      content = {
        version           = "KqlItem/1.0"
        title             = title
        query             = file("${path.module}/observability/queries/${name}.kql")
        queryType         = 0
        resourceType      = "microsoft.operationalinsights/workspaces"
        visualization     = "table"
        showExportToExcel = true
      }
    }]
  })
}
