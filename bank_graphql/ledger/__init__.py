"""Double entry. The ledger knows accounts by their ids alone: no user, no card, no HTTP.

`models` balances, transactions, entries · `rules` what a posting may do to a balance · `queries` batched reads ·
`service` the only writer · `verification` recomputes everything from scratch · `errors` refusals about money.
"""
