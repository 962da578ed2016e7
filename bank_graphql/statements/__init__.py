"""Statements: one a month and account, issued once, with documents that stay the same; and exports of the entries of any period.

`rules` months and periods in the bank's time zone · `models` the tables · `queries` batched reads, and what documents are made
of · `service` the only writer: it issues statements · `jobs` issues them when a month ends · `documents` PDF, CSV and camt.053 ·
`verification` statements against entries.
"""
