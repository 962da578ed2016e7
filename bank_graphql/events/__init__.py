"""The transaction feed: for each change of a transaction, an event for each of its accounts, written together with the change.

- `enums`: the kinds of events.
- `models`: the tables, and positions in the feed.
- `errors`: why a stream ends.
- `service`: writes and deletes events; the only writer.
- `hub`: hands new events to the subscribers of this process.

What an actor sees of the feed needs accounts, so it is in `accounts.feed`.
"""
