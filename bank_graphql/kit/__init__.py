"""Tools that know no banking.

`errors` refusals and faults · `money` amounts and currencies · `ids` keys, global ids, cursors, references · `clock` the time ·
`actor` who asks · `text` what people write · `statements` compiled once · `db` connections and transactions · `columns` how
tables are declared · `schema` migrations · `paging` keyset pages · `batch` gathering work of many requests · `periodic` jobs ·
`limits` token buckets · `embedded` the PostgreSQL that comes with the package · `log` structured logs without secrets.
"""
