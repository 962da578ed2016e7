"""The append-only record of who did what, from where, and with what outcome.

- `models`: the table.
- `service`: appends to it; the only writer.
"""
