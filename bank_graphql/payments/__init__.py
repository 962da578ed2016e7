"""Every command that moves money: a list of commands in, a list of outcomes out, in one transaction.

`commands` what can be asked and what comes of it · `rules` decides, in memory · `models` and `queries` remembered outcomes ·
`service` locks, reads, has `rules` decide, writes · `verification` remembered outcomes against the books · `errors`.
"""
