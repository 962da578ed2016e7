# Front Door: TLS, a web application firewall, the pages from a cache, and a private link to the servers.

locals {
  link_to_servers = "Front Door asks for a private link to the servers of ${local.prefix}."
}

resource "azurerm_cdn_frontdoor_profile" "bank" {
  name                     = "afd-${local.prefix}"
  resource_group_name      = azurerm_resource_group.bank.name
  sku_name                 = "Premium_AzureFrontDoor"
  response_timeout_seconds = 120
  tags                     = local.tags

  # Addresses of people and what they ask for are nobody's business in a log.
  log_scrubbing_rule {
    match_variable = "QueryStringArgNames"
  }
  log_scrubbing_rule {
    match_variable = "RequestUri"
  }
}

resource "azurerm_cdn_frontdoor_endpoint" "bank" {
  name                     = local.prefix
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.bank.id
  tags                     = local.tags
}

resource "azurerm_cdn_frontdoor_origin_group" "bank" {
  name                     = "servers"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.bank.id
  session_affinity_enabled = false

  load_balancing {
    sample_size                 = 4
    successful_samples_required = 2
  }

  health_probe {
    path                = "/health/ready"
    protocol            = "Https"
    request_type        = "GET"
    interval_in_seconds = 30
  }
}

resource "azurerm_cdn_frontdoor_origin" "bank" {
  name                           = "servers"
  cdn_frontdoor_origin_group_id  = azurerm_cdn_frontdoor_origin_group.bank.id
  host_name                      = "${local.prefix}.${azurerm_container_app_environment.bank.default_domain}"
  origin_host_header             = "${local.prefix}.${azurerm_container_app_environment.bank.default_domain}"
  certificate_name_check_enabled = true
  enabled                        = true

  private_link {
    request_message        = local.link_to_servers
    target_type            = "managedEnvironments"
    location               = var.location
    private_link_target_id = azurerm_container_app_environment.bank.id
  }
}

resource "azurerm_cdn_frontdoor_route" "api" {
  name                          = "api"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.bank.id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.bank.id
  cdn_frontdoor_origin_ids      = [azurerm_cdn_frontdoor_origin.bank.id]
  patterns_to_match             = ["/*"]
  supported_protocols           = ["Http", "Https"]
  https_redirect_enabled        = true
  forwarding_protocol           = "HttpsOnly"
}

# The pages' scripts and styles have names that change with what is in them.
resource "azurerm_cdn_frontdoor_route" "assets" {
  name                          = "assets"
  cdn_frontdoor_endpoint_id     = azurerm_cdn_frontdoor_endpoint.bank.id
  cdn_frontdoor_origin_group_id = azurerm_cdn_frontdoor_origin_group.bank.id
  cdn_frontdoor_origin_ids      = [azurerm_cdn_frontdoor_origin.bank.id]
  patterns_to_match             = ["/assets/*"]
  supported_protocols           = ["Http", "Https"]
  https_redirect_enabled        = true
  forwarding_protocol           = "HttpsOnly"

  cache {
    query_string_caching_behavior = "IgnoreQueryString"
    compression_enabled           = true
    content_types_to_compress     = ["text/html", "text/css", "application/javascript", "image/svg+xml"]
  }
}

resource "azurerm_cdn_frontdoor_firewall_policy" "bank" {
  name                       = "waf${local.compact}"
  resource_group_name        = azurerm_resource_group.bank.name
  sku_name                   = azurerm_cdn_frontdoor_profile.bank.sku_name
  mode                       = "Prevention"
  request_body_check_enabled = true
  tags                       = local.tags

  managed_rule {
    type    = "Microsoft_DefaultRuleSet"
    version = "2.1"
    action  = "Block"
  }

  managed_rule {
    type    = "Microsoft_BotManagerRuleSet"
    version = "1.1"
    action  = "Block"
  }

  custom_rule {
    name                           = "RateLimit"
    type                           = "RateLimitRule"
    priority                       = 100
    action                         = "Block"
    rate_limit_duration_in_minutes = 1
    rate_limit_threshold           = 6000

    match_condition {
      match_variable = "RequestUri"
      operator       = "Any"
      match_values   = []
    }
  }

  dynamic "custom_rule" {
    for_each = length(var.allowed_networks) == 0 ? [] : [var.allowed_networks]
    content {
      name     = "AllowedNetworks"
      type     = "MatchRule"
      priority = 50
      action   = "Block"

      match_condition {
        match_variable     = "SocketAddr"
        operator           = "IPMatch"
        negation_condition = true
        match_values       = custom_rule.value
      }
    }
  }
}

resource "azurerm_cdn_frontdoor_security_policy" "bank" {
  name                     = "waf"
  cdn_frontdoor_profile_id = azurerm_cdn_frontdoor_profile.bank.id

  security_policies {
    firewall {
      cdn_frontdoor_firewall_policy_id = azurerm_cdn_frontdoor_firewall_policy.bank.id

      association {
        patterns_to_match = ["/*"]
        domain {
          cdn_frontdoor_domain_id = azurerm_cdn_frontdoor_endpoint.bank.id
        }
      }
    }
  }
}
