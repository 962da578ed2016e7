"""Tools that know no banking.

- `actor`: the user on whose behalf a request is served, and the origin of the request
- `batch`: collects single items into batches
- `clock`: the current time as a parameter
- `columns`: fields of table models
- `db`: a pool of database connections, and the transactions on it
- `db_errors`: classifies, describes and translates the errors of the database
- `db_session`: settings of a session, and what the bank needs of a database
- `dsn`: parses the address of a database
- `embedded`: runs the PostgreSQL that comes with the package
- `errors`: refusals, faults and configuration errors
- `fair_share`: shares a busy process among its users
- `files`: replaces files atomically
- `ids`: UUIDs, Relay global ids, cursors, references for people, and keys of advisory locks
- `jobs`: periodic jobs
- `keysets`: sets of secret keys, from a setting or a file
- `loaders`: reads by key, batched over requests and cached within one
- `log`: structured logs without secrets
- `money`: amounts in minor units, and currencies
- `notifications`: notifies other processes, by PostgreSQL or Redis
- `paging`: keyset pagination
- `postgres_process`: runs PostgreSQL's programs
- `progress`: prints what a long start is waiting for
- `rate_limiter`: token buckets
- `schema`: migrations
- `statements`: compiled SQL statements, typed rows, bulk inserts and updates
- `text`: normalises and checks text that people write
- `throttle`: delays repeated failed attempts
"""
