output "url" {
  description = "The bank's address."
  value       = local.address
}

output "app" {
  description = "The name of the servers' container app, for the scripts that shift traffic."
  value       = azurerm_container_app.bank.name
}

output "resource_group" {
  description = "The resource group, for the scripts."
  value       = azurerm_resource_group.bank.name
}

output "jobs" {
  description = "The names of the jobs: migrate, smoke, verify."
  value       = { for name, job in azurerm_container_app_job.bank : name => job.name }
}

output "key_vault" {
  description = "The vault that the secrets are put into."
  value       = azurerm_key_vault.bank.name
}

output "database_hosts" {
  description = "The primary and its replicas."
  value = merge(
    { primary = azurerm_postgresql_flexible_server.bank.fqdn },
    { for name, replica in azurerm_postgresql_flexible_server.replica : name => replica.fqdn },
  )
}

output "redis_host" {
  description = "Redis, if there is one."
  value       = one(azurerm_managed_redis.bank[*].hostname)
}

output "traces" {
  description = "Where Application Insights takes traces, for a collector."
  value       = azurerm_application_insights.bank.connection_string
  sensitive   = true
}
