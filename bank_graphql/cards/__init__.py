"""Cards: issuing, limits, authorisation rules, and the vault that keeps their numbers. `payments` moves the money.

`enums` kinds, statuses, windows, actions · `models` the tables: cards, limits, card transactions · `rules` lifecycle, limits,
authorisation · `vault` card numbers under keys · `queries` batched reads · `service` the only writer ·
`verification` what counts toward limits, against the books · `errors` refusals about limits.
"""
