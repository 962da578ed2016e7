"""Every command that moves money or opens something: a list of commands in, a list of outcomes out, in one transaction.

A batch goes through the modules in this order:

`commands` what is to be done: each class says what it names and how it is decided · `groups` the commands of one request ·
`locks` finds the accounts behind what commands name, and locks them · `snapshot` loads the state under the locks ·
`state` (and `card_state`, `clearing_state`) what commands read and change in memory, with one savepoint · `decisions` decides
group by group, with keys and dry runs · `service` puts these together, writes, and is the room's entrance.

Beside them: `outcomes` what commands lead to · `idempotency` outcomes stored under keys · `card_rules` rules that commands
share · `queries`, `models`, `enums`, `errors` · `jobs` what runs periodically · `verification` stored outcomes and the feed
against the books.
"""
