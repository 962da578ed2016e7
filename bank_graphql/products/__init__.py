"""Products: what accounts earn and cost. Interest accrues on the balances at the ends of days, and is posted with fees by month.

Accruals become a posting of a month, that becomes due, and what is due becomes a transaction: there is no other way to one.

`rules` day counts, rates and rounding, pure · `service` what administrators change · `interest` accrues and makes what is to be
posted · `fees` those that payments charge · `explanations` how interest came about. `payments` posts it all.
"""
