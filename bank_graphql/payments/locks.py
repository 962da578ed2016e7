"""Takes the locks that the commands of a batch need: on their keys, and on all accounts behind what they name."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from bank_graphql.accounts.rules import grant_lock, opening_lock
from bank_graphql.cards import queries as cards
from bank_graphql.cards.queries import CardReferenceRow
from bank_graphql.clearing.rules import ExternalAccount
from bank_graphql.kit.db import Connection
from bank_graphql.kit.ids import lock_key
from bank_graphql.ledger import service as ledger
from bank_graphql.ledger.enums import Purpose, TransactionKind
from bank_graphql.ledger.rules import internal_account_id
from bank_graphql.payees import queries as payees
from bank_graphql.payments import queries
from bank_graphql.payments.commands import Command, Key, Targets
from bank_graphql.payments.queries import LockedTransactionRow
from bank_graphql.payments.state import SavedPayee


@dataclass(frozen=True, slots=True)
class Locked:
    """What the commands of a batch name; its locks are held until the transaction ends.

    Attributes:
        account_ids: the accounts that are locked.
        owners: the users for whom accounts are opened, which is locked.
        keys: the idempotency keys that are locked.
        actors: the users and programs that send the commands.
        grants: the access grants of those programs, which are locked.
        numbers: account ids by account number.
        payees: the payees that are named, by id.
        transaction_ids: the transactions that are named, and the parents of named refunds.
        cards: the cards that are named by themselves.
        references: payments from other banks: the bank, and the reference that it gave.
        charged: the accounts that may be charged fees.
        authorizing: whether limits of those cards are checked as of now.
        capturing: transactions for whose cards limits are checked, as of their authorisations.
    """

    account_ids: list[UUID]
    owners: list[UUID]
    keys: list[Key]
    actors: list[UUID]
    grants: list[UUID]
    numbers: dict[str, UUID]
    payees: dict[UUID, SavedPayee]
    transaction_ids: list[UUID]
    cards: Sequence[CardReferenceRow]
    references: list[tuple[str, str]]
    charged: list[UUID]
    authorizing: bool
    capturing: list[UUID]


async def lock(connection: Connection, commands: Sequence[Command]) -> Locked:
    """Find the accounts behind what the commands name, and take all locks, sorted, with one statement.

    Only what never changes is used before the locks: the account of a number or card, the number of a payee, the accounts of a
    transaction. That a payee was removed is as if it had been so before or after the batch.
    """
    targets = [command.targets() for command in commands]
    saved = await _payees(connection, targets)
    numbers = await _account_numbers(connection, targets, saved)
    named = [key for each in targets for key in each.transactions]
    transactions = await read_transactions(connection, named)
    references = await _card_references(connection, targets)
    account_ids = list({*_account_ids(targets, transactions, references, saved, numbers), *numbers.values()})
    charged_cards = {card for each in targets if each.charges_cards for card in each.cards}
    owners = list({each.owner: None for each in targets if each.owner is not None})
    received = list({reference: None for each in targets for reference in each.references})
    grants = list({command.actor.user_id: None for command in commands if command.actor.grant is not None})
    keys = list({command.stored_key: None for command in commands if command.stored_key is not None})
    await ledger.lock(
        connection,
        [
            *(lock_key("key", *key) for key in keys),
            *(lock_key("reference", UUID(int=0), "/".join(reference)) for reference in received),
            *(ledger.account_lock(each) for each in account_ids),
            *(opening_lock(each) for each in owners),
            *(grant_lock(each) for each in grants),
        ],
    )
    # When a refund is reversed, its payment counts toward limits again.
    refunded = [row.parent_id for row in transactions.values() if row.kind == TransactionKind.CARD_REFUND and row.parent_id]
    return Locked(
        account_ids,
        owners,
        keys,
        list({each for command in commands for each in (command.actor.user_id, command.actor.person_id)}),
        grants,
        numbers,
        saved,
        [*transactions, *refunded],
        references,
        received,
        charged=[
            *(each.accounts[0] for each in targets if each.fees_account is not None and _leaves(each, saved, numbers)),
            *(reference.account_id for reference in references if reference.id in charged_cards),
        ],
        authorizing=any(each.checks_limits and not each.transactions for each in targets),
        capturing=[key for each in targets if each.checks_limits for key in each.transactions],
    )


async def read_transactions(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, LockedTransactionRow]:
    """Return transactions by id."""
    if not ids:
        return {}
    return {row.id: row for row in await connection.fetch(queries.TRANSACTIONS, ids=ids)}


async def _payees(connection: Connection, targets: Sequence[Targets]) -> dict[UUID, SavedPayee]:
    ids = [payee for each in targets for payee in each.payees]
    if not ids:
        return {}
    rows = await connection.fetch(payees.BY_ID, ids=ids)
    return {row.id: SavedPayee(row.owner_id, ExternalAccount(row.account_number, row.name), row.removed_at) for row in rows}


async def _account_numbers(
    connection: Connection, targets: Sequence[Targets], saved: Mapping[UUID, SavedPayee]
) -> dict[str, UUID]:
    numbers = [number for each in targets for number in each.numbers if number]
    numbers += [payee.account.number for payee in saved.values()]
    if not numbers:
        return {}
    return {row.number: row.id for row in await connection.fetch(queries.ACCOUNT_NUMBERS, numbers=numbers)}


async def _card_references(connection: Connection, targets: Sequence[Targets]) -> Sequence[CardReferenceRow]:
    ids = [card for each in targets for card in each.cards]
    hashes = [number_hash for each in targets for number_hash in each.card_hashes]
    return await connection.fetch(cards.CARD_REFERENCES, ids=ids, hashes=hashes) if ids or hashes else []


def _account_ids(
    targets: Sequence[Targets],
    transactions: Mapping[UUID, LockedTransactionRow],
    references: Sequence[CardReferenceRow],
    saved: Mapping[UUID, SavedPayee],
    numbers: Mapping[str, UUID],
) -> Iterator[UUID]:
    for each in targets:
        yield from each.accounts
        if each.clearing is not None and _leaves(each, saved, numbers):
            yield each.clearing
            if each.fees_account is not None:
                yield each.fees_account
        if each.suspends:
            currencies = {transactions[key].currency for key in each.transactions if key in transactions}
            yield from (internal_account_id(Purpose.SUSPENSE, currency) for currency in currencies)
    for row in transactions.values():
        yield row.from_account_id
        yield row.to_account_id
    charges_cards = any(each.charges_cards for each in targets)
    for reference in references:
        yield reference.account_id
        if charges_cards:
            yield internal_account_id(Purpose.FEES, reference.currency)


def _leaves(target: Targets, saved: Mapping[UUID, SavedPayee], numbers: Mapping[str, UUID]) -> bool:
    """Return whether a payment may leave the bank: none of its accounts has the number."""
    paid = [*target.numbers, *(saved[payee].account.number for payee in target.payees if payee in saved)]
    return any(number not in numbers for number in paid)
