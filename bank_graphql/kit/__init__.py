"""Tools that know no banking.

`errors` refusals and faults · `money` amounts and currencies · `ids` keys, global ids and cursors · `clock` the time ·
`actor` who asks · `db` statements and transactions · `batch` gathering work of many requests · `paging` keyset pages ·
`embedded` the PostgreSQL that comes with the package · `log` structured logs without secrets.
"""
