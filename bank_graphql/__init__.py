"""A GraphQL banking API on a double-entry ledger in PostgreSQL.

The rooms, each built on those before it: `kit` tools that know no banking · `ledger`, `audit`, `events` · `identity` ·
`accounts` · `cards` · `payments` · `engine` executes GraphQL and knows no bank · `api` the bank's schema · `web` HTTP and
WebSocket. `bank` puts the rooms together; `app` (the server) and `cli` (the commands) are built on it. `settings` reads the
environment; `demo` fills an empty bank.
"""
