"""The clearing: payments to accounts at other banks and from them, and the days on which they are settled.

A payment that leaves the bank is a PENDING transfer to the bank's clearing account. It is settled (POSTED), or it comes back:
before it is settled it is VOIDED, afterwards another transfer returns it.

`enums` the sandbox's numbers · `rules` return reasons, business days, what is known of a payment · `models` the tables ·
`queries` batched reads · `service` writes what the payments add · `verification` the tables against the books.
"""
