"""Payees: the account numbers that a customer pays to, saved under names.

`rules` names and numbers · `models` the table · `queries` batched reads · `service` the only writer.
"""
