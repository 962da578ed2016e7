"""Who the users are and how they prove it.

`models` users, sessions, refresh tokens · `rules` roles and what they may do, what a profile may look like ·
`passwords` hashing · `tokens` access tokens and their keys · `queries` batched reads · `service` the only writer · `errors` refusals.
"""
