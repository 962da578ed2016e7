"""The append-only record of who did what, from where, and with what outcome.

- `models`: the tables.
- `service`: appends events; their only writer.
- `chain`: hashes over the events, each of which depends on all before it.
- `sealing`: closes events into the chain.
- `checkpoints`: signed heads of the chain, to be kept elsewhere.
- `verification`: recomputes the chain and compares.
- `queries`: reads events.
- `jobs`: what the audit does by itself.
"""
