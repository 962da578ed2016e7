"""The transaction feed's outbox: a row for each account that a change of a transaction affects, written with the money."""
