"""A GraphQL banking API on a double-entry ledger in PostgreSQL.

The rooms, from the ground up: `kit` (tools that know no banking), `ledger`, `audit` and `events`, `identity`, `accounts`,
`payments`, then `api` (GraphQL) and `web` (plain HTTP), and on top `app` and `cli`, which put everything together.
"""
