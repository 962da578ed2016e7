"""Who the users are and how they prove it.

`models` users, sessions, refresh tokens · `permissions` roles and what they may do · `rules` what a profile may look like ·
`passwords` hashing · `tokens` access tokens and their keys · `queries` batched reads · `service` the only writer ·
`errors` refusals.
"""
