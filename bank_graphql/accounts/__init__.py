"""Customers' accounts: what they are called, who owns them, whether they are open. What they hold is the ledger's.

`models` accounts · `rules` names and numbers · `queries` what an actor may see of accounts, transactions and entries ·
`service` the only writer · `errors` refusals about an account's status.
"""
