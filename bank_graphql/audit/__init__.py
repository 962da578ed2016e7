"""The append-only record of who did what, from where, and how it went."""
