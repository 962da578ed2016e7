"""The transaction feed: for each change of a transaction, an event for each of its accounts, written together with the change.

- `enums`: the kinds of events.
- `models`: the tables, and positions in the feed.
- `errors`: why a stream ends.
- `service`: writes and deletes events; the only writer.
- `hub`: hands new events to the subscribers of this process.

What an actor sees of the feed needs accounts, so it is in `accounts.feed`.

How an event reaches a socket:

1. `payments.service` writes it in the transaction that moves the money, by `events.service.record`.
2. `bank.Bank` wakes the hub of this process after each batch of commands, and those of other processes by `kit.notifications`.
3. `hub.Hub` reads what is new by `accounts.feed`, once for all subscribers of the process. It reads an event only when no
   transaction that began earlier still runs, so that none is missed.
4. The hub puts it into the queue of each subscriber whose `Interest` covers its account. `accounts.feed` makes the interest
   when somebody subscribes: the accounts of the viewer, or given accounts that are visible to the viewer.
5. `api.streams` and `api.subscriptions` pass it on as the result of the subscription's field, `engine.executor` executes the
   subscription's selection on it, and `web.sockets` sends the answer (`web.event_streams` to a client of server-sent events).
"""
