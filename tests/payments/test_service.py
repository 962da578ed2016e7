"""Batches of commands on a real database: outcomes, concurrency, idempotency keys, expiry and dry runs."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import pytest
import stdnum.iban
from structlog.testing import capture_logs

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.accounts.rules import Numbering
from bank_graphql.bank import Bank
from bank_graphql.cards.enums import CardForm, CardKind, LimitWindow
from bank_graphql.cards.errors import LimitExceeded
from bank_graphql.cards.rules import Merchant
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.db import Database
from bank_graphql.kit.errors import Refusal, ValidationFailed
from bank_graphql.kit.money import Money
from bank_graphql.payments import queries, service
from bank_graphql.payments.commands import (
    AuthorizeCard,
    CaptureHold,
    Command,
    Deposit,
    Destination,
    ExpireHold,
    IssueCard,
    OpenAccount,
    PlaceHold,
    ReleaseHold,
    ReplaceCard,
    Transfer,
)
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Issued, Moved, Opened
from tests.actors import create_actor
from tests.client import key
from tests.policy import policy
from tests.verification import assert_verified

POLICY = policy()
RETRIED = "transaction tried again"


@pytest.fixture
async def customer(bank: Bank) -> Actor:
    return await create_actor(bank, "ada")


async def open_accounts(db: Database, owner: Actor, count: int, deposit: int = 1000) -> list[Any]:
    outcomes = await service.execute(
        db,
        POLICY,
        [
            OpenAccount(actor=owner, key=key(), kind=AccountKind.CHECKING, currency="EUR", name="x", opening_deposit=deposit)
            for _ in range(count)
        ],
    )
    assert all(isinstance(outcome, Opened) for outcome in outcomes)
    return [outcome.account_id for outcome in outcomes if isinstance(outcome, Opened)]


def transfer(owner: Actor, source: Any, target: Any, minor: int, **more: Any) -> Transfer:
    given = {"key": key(), **more}
    return Transfer(actor=owner, from_account_id=source, to=Destination(account_id=target), amount=Money(minor, "EUR"), **given)


async def test_a_batch_has_the_outcomes_of_its_commands_executed_one_by_one(db: Database, customer: Actor) -> None:
    rng = random.Random(7)
    first, second = await open_accounts(db, customer, 4, 100), await open_accounts(db, customer, 4, 100)
    transfers = [(rng.randrange(4), rng.randrange(4), rng.randrange(1, 80)) for _ in range(60)]
    keys = [key() if rng.random() < 0.8 else "twice" for _ in transfers]
    together = await service.execute(
        db, POLICY, [transfer(customer, first[s], first[t], m, key="a" + k) for (s, t, m), k in zip(transfers, keys, strict=True)]
    )
    alone = []
    for (s, t, m), k in zip(transfers, keys, strict=True):
        alone += await service.execute(db, POLICY, [transfer(customer, second[s], second[t], m, key="b" + k)])

    def summary(outcome: Any) -> str:
        return f"{type(outcome).__name__} {getattr(outcome, 'replayed', '')} {outcome if isinstance(outcome, Refusal) else ''}"

    assert [summary(outcome) for outcome in together] == [summary(outcome) for outcome in alone]
    assert len({summary(outcome) for outcome in together}) >= 4
    await assert_verified(db)


async def test_a_refused_command_does_not_affect_the_others_in_its_batch(db: Database, customer: Actor) -> None:
    one, two = await open_accounts(db, customer, 2)
    outcomes = await service.execute(
        db,
        POLICY,
        [transfer(customer, one, two, 600), transfer(customer, one, two, 600), transfer(customer, one, two, 400)],
    )
    assert [type(outcome).__name__ for outcome in outcomes] == ["Moved", "InsufficientFunds", "Moved"]
    await assert_verified(db)


async def test_concurrent_opposing_transfers_do_not_deadlock(db: Database, customer: Actor) -> None:
    ids = await open_accounts(db, customer, 6, 10_000)
    rng = random.Random(3)

    async def some() -> None:
        for _ in range(10):
            batch: list[Command] = []
            for _ in range(rng.randrange(1, 8)):
                source, target = rng.sample(ids, 2)
                batch.append(transfer(customer, source, target, rng.randrange(1, 500)))
            await service.execute(db, POLICY, batch)

    with capture_logs() as logged:
        async with asyncio.timeout(60):
            await asyncio.gather(*(some() for _ in range(8)))
    assert RETRIED not in {line["event"] for line in logged}  # so there was no deadlock
    await assert_verified(db)


async def test_concurrent_commands_with_one_key_on_different_accounts_have_one_effect(db: Database, customer: Actor) -> None:
    ids = await open_accounts(db, customer, 10)
    for _ in range(5):
        same = key()
        batches = await asyncio.gather(
            *(service.execute(db, POLICY, [transfer(customer, ids[2 * n], ids[2 * n + 1], 1, key=same)]) for n in range(5))
        )
        kinds = sorted(type(batch[0]).__name__ for batch in batches)
        assert kinds == [*["IdempotencyConflict"] * 4, "Moved"]
        opening = OpenAccount(actor=customer, key=key(), kind=AccountKind.CHECKING, currency="EUR", name="x")
        opened = await asyncio.gather(*(service.execute(db, POLICY, [opening]) for _ in range(5)))
        assert sorted(outcome.replayed for [outcome] in opened if isinstance(outcome, Opened)) == [False, True, True, True, True]
    await assert_verified(db)


async def test_the_servers_default_isolation_does_not_matter(
    dsn: str, db: Database, customer: Actor, raw: asyncpg.Connection
) -> None:
    one, two = await open_accounts(db, customer, 2)
    name = await raw.fetchval("SELECT current_database()")
    await raw.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'")
    strict = await Database.open(dsn, max_size=8)
    with capture_logs() as logged:
        await asyncio.gather(*(service.execute(strict, POLICY, [transfer(customer, one, two, 1)]) for _ in range(16)))
    await strict.close()
    assert RETRIED not in {line["event"] for line in logged}
    await assert_verified(db)


async def test_a_key_in_concurrent_batches_has_one_effect(db: Database, customer: Actor) -> None:
    one, two = await open_accounts(db, customer, 2)
    command = transfer(customer, one, two, 1, key="same")
    outcomes = [
        o for batch in await asyncio.gather(*(service.execute(db, POLICY, [command] * 3) for _ in range(10))) for o in batch
    ]
    assert len({outcome.transaction_id for outcome in outcomes if isinstance(outcome, Moved)}) == 1
    assert sum(1 for outcome in outcomes if isinstance(outcome, Moved) and not outcome.replayed) == 1
    await assert_verified(db)


async def test_a_batch_of_two_thousand_commands_on_five_hundred_accounts(db: Database, customer: Actor) -> None:
    ids = await open_accounts(db, customer, 500)
    batch: list[Command] = [transfer(customer, ids[n % 500], ids[(n * 7 + 1) % 500], 1) for n in range(1000)]
    batch += [Deposit(actor=customer, key=key(), account_id=ids[n % 500], amount=Money(1, "EUR")) for n in range(1000)]
    outcomes = await service.execute(db, POLICY, batch)
    assert sum(isinstance(outcome, Moved) for outcome in outcomes) >= 1990
    await assert_verified(db)


async def test_a_transfer_writes_its_rows_once_and_a_replay_none(db: Database, customer: Actor, raw: asyncpg.Connection) -> None:
    one, two = await open_accounts(db, customer, 2)
    before = {table: await raw.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    command = transfer(customer, one, two, 5, description="Rent")
    await service.execute(db, POLICY, [command])
    await service.execute(db, POLICY, [command])  # a replay writes nothing
    after = {table: await raw.fetchval(f"SELECT count(*) FROM {table}") for table in TABLES}
    assert {table: after[table] - before[table] for table in TABLES} == {
        "transactions": 1, "entries": 2, "transaction_notes": 1, "idempotency_outcomes": 1, "transaction_events": 2, "audit_events": 1,
    }  # fmt: skip


TABLES = ("transactions", "entries", "transaction_notes", "idempotency_outcomes", "transaction_events", "audit_events")


async def test_a_refusal_is_audited_once(db: Database, customer: Actor, raw: asyncpg.Connection) -> None:
    one, two = await open_accounts(db, customer, 2)
    await service.execute(db, POLICY, [transfer(customer, one, two, 10**6)])
    refused = transfer(customer, one, two, 10**6)
    for _ in range(3):  # a replay is no new refusal
        await service.execute(db, POLICY, [refused])
    assert await raw.fetchval("SELECT count(*) FROM audit_events WHERE outcome = 'InsufficientFunds'") == 2


@pytest.mark.parametrize("rounds", [10, pytest.param(50, marks=pytest.mark.deep)])
async def test_of_concurrent_capture_release_and_expiry_exactly_one_succeeds(db: Database, customer: Actor, rounds: int) -> None:
    ids = await open_accounts(db, customer, 40, 100_000)
    now = utc_now()
    later = now + timedelta(minutes=1)
    rng, until, reads = random.Random(7), 0, 0

    def clock() -> datetime:
        """Return a time before the holds expire for the first `until` reads, and the time of their expiry afterwards."""
        nonlocal reads
        reads += 1
        return now if reads <= until else later

    policy = replace(POLICY, clock=clock)
    staff = Actor(customer.user_id, None, PERMISSIONS[UserRole.TELLER])
    winners: Counter[str] = Counter()
    for _ in range(rounds):
        reads, until = 0, 1
        placed = await service.execute(
            db,
            policy,
            [
                PlaceHold(
                    actor=customer, key=key(), account_id=ids[2 * n], to=Destination(account_id=ids[2 * n + 1]),
                    amount=Money(5, "EUR"), expires_at=later,
                )
                for n in range(20)
            ],
        )  # fmt: skip
        holds = [hold.transaction_id for hold in placed if isinstance(hold, Moved)]
        reads, until = 0, rng.randrange(60)
        racing = [
            [service.execute(db, policy, [CaptureHold(actor=staff, key=key(), transaction_id=hold)]) for hold in holds],
            [service.execute(db, policy, [ReleaseHold(actor=staff, key=key(), transaction_id=hold)]) for hold in holds],
            [service.execute(db, policy, [ExpireHold(actor=service.BANK, key=None, transaction_id=hold)]) for hold in holds],
        ]
        shuffled = [attempt for attempts in racing for attempt in attempts]
        rng.shuffle(shuffled)
        await asyncio.gather(*shuffled)
        rows = await db.fetch(queries.TRANSACTIONS, ids=holds)
        winners.update(row.status for row in rows)
        assert all(row.captured == (5 if row.status == "POSTED" else 0) for row in rows)
    assert winners.total() == rounds * 20
    assert winners["PENDING"] == 0
    assert len(winners) == 3, winners
    await assert_verified(db)


async def test_old_idempotency_keys_are_deleted(db: Database, customer: Actor, raw: asyncpg.Connection) -> None:
    one, two = await open_accounts(db, customer, 2)
    command = transfer(customer, one, two, 1)
    await service.execute(db, POLICY, [command])
    stored = await raw.fetchval("SELECT count(*) FROM idempotency_outcomes")
    await service.delete_old_keys(db, POLICY, timedelta(days=30))
    assert await raw.fetchval("SELECT count(*) FROM idempotency_outcomes") == stored
    later = replace(POLICY, clock=lambda: utc_now() + timedelta(days=30, minutes=1))
    assert await service.delete_old_keys(db, later, timedelta(days=30), batch_size=2) == stored
    assert await raw.fetchval("SELECT count(*) FROM idempotency_outcomes") == 0


async def test_concurrent_expiry_jobs_expire_each_hold_once(db: Database, customer: Actor, raw: asyncpg.Connection) -> None:
    one, two = await open_accounts(db, customer, 2)
    soon = utc_now() + timedelta(minutes=1)
    place = [
        PlaceHold(
            actor=customer, key=key(), account_id=one, to=Destination(account_id=two), amount=Money(1, "EUR"), expires_at=soon
        )
        for _ in range(50)
    ]
    await service.execute(db, POLICY, place)
    assert await service.expire_holds(db, POLICY) == 0
    later = replace(POLICY, clock=lambda: soon)
    assert sum(await asyncio.gather(*(service.expire_holds(db, later) for _ in range(4)))) == 50
    assert await raw.fetchval("SELECT count(*) FROM transaction_events WHERE kind = 'EXPIRED'") == 100
    assert await raw.fetchval("SELECT count(*) FROM audit_events WHERE action = 'expireHold'") == 50
    await assert_verified(db)


async def test_a_hold_that_cannot_expire_does_not_stop_the_others(db: Database, customer: Actor, raw: asyncpg.Connection) -> None:
    one, two, three = await open_accounts(db, customer, 3)
    soon = utc_now() + timedelta(minutes=1)
    to = Destination(account_id=three)
    place = [
        PlaceHold(actor=customer, key=key(), account_id=each, to=to, amount=Money(1, "EUR"), expires_at=soon)
        for each in (one, two)
    ]
    await service.execute(db, POLICY, place)
    await raw.execute("UPDATE balances SET held = 0 WHERE account_id = $1", one)
    assert await service.expire_holds(db, replace(POLICY, clock=lambda: soon)) == 1


async def test_a_key_used_twice_in_a_batch_is_invalid_in_an_atomic_group(db: Database, customer: Actor) -> None:
    one, two = await open_accounts(db, customer, 2)
    first = transfer(customer, one, two, 1)
    again = Group((replace(first), transfer(customer, one, two, 1)), atomic=True)
    outcomes = await service.execute_groups(db, POLICY, [Group((first,)), again])
    assert isinstance(outcomes[1], ValidationFailed)
    twice = transfer(customer, one, two, 1)
    outcomes = await service.execute_groups(db, POLICY, [Group((twice, replace(twice)), atomic=True)])
    assert isinstance(outcomes[0], ValidationFailed)
    await assert_verified(db)


async def test_a_dry_run_writes_nothing(db: Database, customer: Actor, raw: asyncpg.Connection) -> None:
    one, two = await open_accounts(db, customer, 2)
    tables = (*TABLES, "balances")
    before = {table: await raw.fetchval(f"SELECT count(*) FROM {table}") for table in tables}
    dry = [transfer(customer, one, two, 5, dry_run=True), transfer(customer, one, two, 10**9, dry_run=True)]
    dry_cash = Deposit(actor=customer, key=key(), account_id=one, amount=Money(1, "EUR"), dry_run=True)
    await service.execute(db, POLICY, [*dry, dry_cash])
    assert {table: await raw.fetchval(f"SELECT count(*) FROM {table}") for table in tables} == before


async def test_concurrent_copies_of_an_atomic_group_have_one_effect(
    db: Database, customer: Actor, raw: asyncpg.Connection
) -> None:
    one, two = await open_accounts(db, customer, 2)
    commands = tuple(transfer(customer, one, two, n) for n in (1, 2, 3))
    groups = [Group(tuple(map(replace, commands)), atomic=True) for _ in range(3)]
    together, alone = groups[:2], groups[2]
    batches = await asyncio.gather(
        service.execute_groups(db, POLICY, together), *(service.execute_groups(db, POLICY, [alone]) for _ in range(4))
    )
    outcomes = [group for batch in batches for group in batch if isinstance(group, list)]
    assert len(outcomes) == 6
    assert sum(all(isinstance(each, Moved) and not each.replayed for each in group) for group in outcomes) == 1
    assert all(isinstance(each, Moved) for group in outcomes for each in group)
    assert await raw.fetchval("SELECT count(*) FROM transactions WHERE kind = 'TRANSFER'") == 3
    await assert_verified(db)


async def test_a_dry_run_does_not_affect_later_commands(db: Database, customer: Actor, raw: asyncpg.Connection) -> None:
    """Neither do dry runs that open accounts, issue and replace cards, or would count toward limits."""
    [one] = await open_accounts(db, customer, 1)
    limits = ((LimitWindow.DAY, Money(50, "EUR")),)
    issue = IssueCard(actor=customer, key=key(), account_id=one, kind=CardKind.DEBIT, form=CardForm.VIRTUAL, limits=limits)
    [issued] = await service.execute(db, POLICY, [issue])
    assert isinstance(issued, Issued)

    def pay(minor: int, **more: Any) -> AuthorizeCard:
        merchant = Merchant("Shop", "5411", "DE")
        return AuthorizeCard(
            actor=customer, key=key(), card_id=issued.card_id, amount=Money(minor, "EUR"), merchant=merchant, **more
        )

    tables = (*TABLES, "balances", "cards", "card_secrets", "card_transactions")
    before = {table: await raw.fetchval(f"SELECT count(*) FROM {table}") for table in tables}
    opening = OpenAccount(
        actor=customer, key=key(), kind=AccountKind.CHECKING, currency="CHF", name="New", opening_deposit=5, dry_run=True
    )
    replaced = ReplaceCard(actor=customer, key=key(), card_id=issued.card_id, dry_run=True)
    again = replace(issue, key=key(), dry_run=True)
    dry_runs = Group((opening, again, pay(40, dry_run=True), pay(60, dry_run=True), replaced))
    [outcomes] = await service.execute_groups(db, POLICY, [dry_runs])
    assert isinstance(outcomes, list)
    assert isinstance(outcomes[3], LimitExceeded)
    assert {table: await raw.fetchval(f"SELECT count(*) FROM {table}") for table in tables} == before
    [_, paid] = await service.execute_groups(db, POLICY, [replace(dry_runs), Group((pay(50),))])
    assert isinstance(paid, list)
    assert isinstance(paid[0], Moved), "the dry run counted toward the limit"
    await assert_verified(db)


async def test_accounts_get_valid_numbers_where_most_serials_have_none(
    db: Database, customer: Actor, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    dutch = replace(POLICY, numbering=Numbering("NL", "ABNA"))
    opening = [OpenAccount(actor=customer, key=key(), kind=AccountKind.CHECKING, currency="EUR", name="x") for _ in range(100)]
    outcomes = await service.execute(db, dutch, opening)
    assert all(isinstance(each, Opened) for each in outcomes)
    for row in await raw.fetch("SELECT number FROM accounts"):
        stdnum.iban.validate(row["number"])


async def test_large_groups_are_split_unless_they_are_atomic_or_dry_runs(customer: Actor) -> None:
    commands = [transfer(customer, customer.user_id, customer.user_id, n) for n in range(1, 8)]
    pieces = list(Group(tuple(commands)).split(3))
    assert [len(piece.commands) for piece in pieces] == [3, 3, 1]
    assert [command for piece in pieces for command in piece.commands] == commands
    dry = tuple(replace(command, dry_run=True) for command in commands)
    for whole in (Group(tuple(commands[:3])), Group(tuple(commands), atomic=True), Group(dry)):
        assert list(whole.split(3)) == [whole]
