resource_group_name  = "rg-bank-state"
storage_account_name = "stbankstate"
container_name       = "state"
key                  = "staging.tfstate"
use_azuread_auth     = true
