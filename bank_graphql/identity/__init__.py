"""Users, their sessions, and how they prove who they are.

- `enums`: roles and statuses.
- `models`: the tables of users, sessions and refresh tokens.
- `permissions`: what each role allows.
- `visibility`: what an actor sees.
- `errors`: refusals.
- `rules`: checks of e-mail addresses, names, phone numbers and passwords.
- `passwords`: hashing and verifying passwords.
- `tokens`: access tokens and the keys that sign them.
- `refresh_tokens`: refresh tokens and sealed replies.
- `queries`: batched reads of users and sessions, and what other rooms need to scope their own.
- `statements`: the statements that change the tables.
- `session_cache`: the state of sessions that were used or ended a moment ago.
- `metrics`: how often users signed in or were refused.
- `sessions`: opens, refreshes and ends sessions.
- `attempts`: limits attempts, for all processes together.
- `networks`: from which networks staff may act.
- `step_up`: proofs before what is dangerous.
- `totp`: one-time codes by time.
- `factors`: second factors of users.
- `users`: what staff do with users, and how a user is closed.
- `credentials`: passwords and second factors.
- `service`: signing up and in, and profiles.
"""
