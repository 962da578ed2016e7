environment       = "production"
location          = "germanywestcentral"
recovery_location = "northeurope"
redis_sku         = "Balanced_B1"

server = {
  cpu     = 2
  memory  = "4Gi"
  minimum = 3
  maximum = 20
}

budget = {
  amount = 5000
  start  = "2027-01-01"
}

settings = {
  BANK_FOUR_EYES        = "true"
  BANK_FOUR_EYES_AMOUNT = "10000"
}
