"""Standing orders: transfers that the bank makes for a customer on the dates of a rule.

`rules` dates, pure · `runner` makes what is due · `refusals` as runs keep them · `service` the only writer of what is ordered.
"""
