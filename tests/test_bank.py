"""The bank as a whole: its lock table, its queue, and requests larger than a batch."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import asyncpg
import pytest

from bank_graphql import bank, batching
from bank_graphql.accounts.enums import AccountKind
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Connection
from bank_graphql.kit.errors import ConfigurationError, Unavailable
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import Deposit, OpenAccount
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Moved, Opened
from bank_graphql.settings import Settings
from tests.actors import create_actor
from tests.client import key

T = TypeVar("T")


async def test_a_lock_table_too_small_for_full_batches_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "LOCKS_PER_COMMAND", 10**6)
    with pytest.raises(ConfigurationError, match="max_locks_per_transaction"):
        await bank.open_bank(settings).__aenter__()


async def customer(opened: bank.Bank, name: str) -> tuple[Actor, UUID]:
    """Create a customer with an account, and return the actor and the account's id."""
    actor = await create_actor(opened, name)
    [account] = await opened.execute(
        Group((OpenAccount(actor=actor, key=key(), kind=AccountKind.CHECKING, currency="EUR", name="x"),))
    )
    assert isinstance(account, Opened)
    return actor, account.account_id


def deposits(actor: Actor, account_id: UUID, count: int) -> tuple[Deposit, ...]:
    """Return deposits of 1, 2, 3, … cents."""
    return tuple(Deposit(actor=actor, key=key(), account_id=account_id, amount=Money(n, "EUR")) for n in range(1, count + 1))


async def test_one_users_requests_cannot_fill_the_queue_for_others(settings: Settings) -> None:
    async with bank.open_bank(settings.model_copy(update={"batch_queue": 40})) as opened:
        ada, grace = await customer(opened, "ada"), await customer(opened, "grace")
        flood = [opened.execute(Group(deposits(*ada, 5), atomic=True)) for _ in range(30)]
        *answers, own = await asyncio.gather(*flood, opened.execute(Group(deposits(*grace, 1))), return_exceptions=True)
        refused = [answer for answer in answers if isinstance(answer, Unavailable)]
        assert len(refused) == 28
        assert isinstance(own, list)
        assert isinstance(own[0], Moved)


async def test_a_request_larger_than_a_batch_is_executed_in_order_even_if_it_is_cancelled(
    settings: Settings, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with bank.open_bank(settings.model_copy(update={"batch_max": 3})) as opened:
        ada, account_id = await customer(opened, "ada")
        commands = deposits(ada, account_id, 20)
        executing = asyncio.ensure_future(opened.execute(Group(commands)))
        while not await raw.fetchval("SELECT count(*) FROM entries"):
            await asyncio.sleep(0)
        executing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await executing
        while await raw.fetchval("SELECT count(*) FROM transactions") < len(commands):
            await asyncio.sleep(0)
        amounts = await raw.fetchval("SELECT array_agg(amount ORDER BY id) FROM entries WHERE account_id = $1", account_id)
        assert amounts == list(range(1, 21))


async def test_every_job_runs_with_the_rights_of_the_application(settings: Settings, dsn: str) -> None:
    """Tests connect as the owner of the tables. A job that needs a right that the application lacks would fail where nobody looks."""
    async with bank.open_bank(settings) as opened:

        async def restricted(work: Callable[[Connection], Awaitable[T]]) -> T:
            async def as_application(connection: Connection) -> T:
                await connection.raw.execute("SET LOCAL ROLE bank_app")
                return await work(connection)

            return await transact(as_application)

        transact = opened.db.transact
        opened.db.transact = restricted  # type: ignore[method-assign]
        for job in opened.jobs:
            await job.run()
