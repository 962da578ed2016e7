environment = "staging"
location    = "germanywestcentral"

server = {
  minimum = 1
  maximum = 3
}

database = {
  sku          = "GP_Standard_D2ds_v5"
  storage_mb   = 65536
  storage_tier = "P10"
  has_replica  = false
}

budget = {
  amount = 800
  start  = "2027-01-01"
}
