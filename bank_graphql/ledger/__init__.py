"""Double entry. The ledger knows accounts by their ids alone: no user, no card, no HTTP.

`enums` kinds and statuses · `models` the tables: balances, transactions, entries · `rules` postings and holds, in memory ·
`queries` batched reads of balances · `service` the only writer · `verification` recomputes the books from scratch · `errors`.
"""
