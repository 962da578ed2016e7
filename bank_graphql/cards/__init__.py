"""Cards: issuing, limits, authorisation rules, and the vault that keeps their numbers. Moving money is for `payments`.

`models` cards, limits, what was paid with them · `rules` lifecycle, limits, authorisation · `vault` numbers under keys ·
`queries` batched reads · `service` the only writer · `verification` what counts for limits against the books · `errors`.
"""
