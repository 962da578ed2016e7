"""Every command that moves money: a list of commands in, a list of outcomes out, in one transaction.

`commands` what can be asked and what comes of it · `facts` what is decided on · `rules` and `card_rules` decide, in memory ·
`models`, `queries` and `remembering` outcomes under their keys · `reading` makes facts of rows ·
`service` locks, reads, has `rules` decide, writes · `verification` remembered outcomes against the books · `errors`.
"""
