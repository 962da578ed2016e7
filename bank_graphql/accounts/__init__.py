"""Customers' accounts: names, owners, statuses. Their balances are kept by the ledger, under the same ids.

`enums` kinds and statuses · `models` the table · `rules` names and account numbers · `queries` accounts and transactions that are
visible to an actor · `entries` entries, with their transactions and counterparties · `feed` the events of visible accounts ·
`service` the only writer · `errors` refusals about an account's status.
"""
