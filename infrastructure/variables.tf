variable "subscription_id" {
  description = "The subscription that the bank lives in."
  type        = string
}

variable "name" {
  description = "What names of resources begin with: small letters and digits, at most eight."
  type        = string
  default     = "bank"

  validation {
    condition     = can(regex("^[a-z][a-z0-9]{1,7}$", var.name))
    error_message = "Two to eight small letters and digits, beginning with a letter."
  }
}

variable "environment" {
  description = "development, staging or production."
  type        = string

  validation {
    condition     = contains(["development", "staging", "production"], var.environment)
    error_message = "One of development, staging and production."
  }
}

variable "location" {
  description = "The region, with availability zones, e.g. germanywestcentral."
  type        = string
}

variable "recovery_location" {
  description = "The region to fail over to: it gets a replica of the database. Null for none."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of all resources, beside those of the bank."
  type        = map(string)
  default     = {}
}

variable "address_space" {
  description = "The addresses of the virtual network, a /20."
  type        = string
  default     = "10.40.0.0/20"
}

variable "recovery_address_space" {
  description = "Those of the network in the second region: others, for the two are connected."
  type        = string
  default     = "10.40.16.0/20"
}

variable "allowed_networks" {
  description = "The networks that may reach the bank, e.g. [\"203.0.113.0/24\"]. Empty for everybody."
  type        = list(string)
  default     = []
}

variable "staff_networks" {
  description = "The networks from which staff may act: BANK_STAFF_NETWORKS."
  type        = list(string)
  default     = []
}

variable "registry" {
  description = "The container registry that has the bank's image: its name, and the resource group that it is in."
  type = object({
    name           = string
    resource_group = string
  })
}

variable "image" {
  description = "The image of the newest revision, by its digest: name@sha256:…."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "An image is named by its digest, so that nobody can change what runs."
  }
}

variable "revision" {
  description = "The suffix of the newest revision, e.g. the first letters of its commit. Another one makes a new revision."
  type        = string
}

variable "public_url" {
  description = "The bank's own address as its clients know it: BANK_PUBLIC_URL. By default that of Front Door."
  type        = string
  default     = null
}

variable "server" {
  description = "How large the servers are, and how many there may be."
  type = object({
    cpu      = optional(number, 1)
    memory   = optional(string, "2Gi")
    minimum  = optional(number, 2)
    maximum  = optional(number, 10)
    requests = optional(number, 200)
  })
  default = {}
}

variable "database" {
  description = "How large the database is. max_locks is max_locks_per_transaction: see docs/how-to/running.md about locks."
  type = object({
    sku             = optional(string, "GP_Standard_D4ds_v5")
    storage_mb      = optional(number, 131072)
    storage_tier    = optional(string, "P20")
    backup_days     = optional(number, 30)
    max_connections = optional(number, 500)
    max_locks       = optional(number, 512)
    zone            = optional(string, "1")
    standby_zone    = optional(string, "2")
    has_replica     = optional(bool, true)
  })
  default = {}
}

variable "administrator_password" {
  description = "The password of the database's owner. It is written to the server, and kept neither in the plan nor in the state."
  type        = string
  sensitive   = true
  ephemeral   = true
}

variable "administrator_password_version" {
  description = "Another number writes the password anew."
  type        = number
  default     = 1
}

variable "redis_sku" {
  description = "The size of Redis, which wakes processes for the feed and shares rate limits. Null for none: PostgreSQL does both."
  type        = string
  default     = null
}

variable "customer_managed_keys" {
  description = "Whether database and storage are encrypted with keys of the key vault."
  type        = bool
  default     = false
}

variable "retention_days" {
  description = "How many days backups and statements can be neither changed nor deleted."
  type        = number
  default     = 30
}

variable "log_days" {
  description = "How many days logs are kept."
  type        = number
  default     = 90
}

variable "alert_addresses" {
  description = "Who gets alerts and the budget's notices, by e-mail."
  type        = list(string)

  validation {
    condition     = length(var.alert_addresses) > 0
    error_message = "Somebody has to get the alerts."
  }
}

variable "budget" {
  description = "What all this may cost a month, in the currency of the subscription, and the first day of the first month."
  type = object({
    amount = number
    start  = string
  })
}

variable "settings" {
  description = "Further settings of the bank, e.g. { BANK_FOUR_EYES = \"true\" }. No secrets: those are in the key vault."
  type        = map(string)
  default     = {}
}
