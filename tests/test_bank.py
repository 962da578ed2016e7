"""Putting the rooms together."""

import asyncio

import asyncpg
import pytest

from bank_graphql import bank
from bank_graphql.identity.models import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.errors import ConfigurationError
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import Deposit, Group, OpenAccount, Opened
from bank_graphql.settings import Settings
from tests.client import PASSWORD, key


async def test_a_lock_table_too_small_for_full_batches_is_refused(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bank, "LOCKS_PER_COMMAND", 10**6)
    with pytest.raises(ConfigurationError, match="max_locks_per_transaction"):
        await bank.open_bank(settings).__aenter__()


async def test_a_large_request_is_finished_in_its_order_even_if_its_caller_goes_away(
    settings: Settings, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    async with bank.open_bank(settings.model_copy(update={"batch_max": 3})) as opened:
        user = await opened.identity.create_user(
            email="ada@bank.test", password=PASSWORD, full_name="Ada", role=UserRole.CUSTOMER
        )
        ada = Actor(user, None, PERMISSIONS[UserRole.CUSTOMER])
        [account] = await opened.move(Group((OpenAccount(actor=ada, key=key(), kind="CHECKING", currency="EUR", name="x"),)))
        assert isinstance(account, Opened)
        deposits = [Deposit(actor=ada, key=key(), account_id=account.account_id, amount=Money(n, "EUR")) for n in range(1, 21)]
        asking = asyncio.create_task(opened.move(Group(tuple(deposits))))
        while not await raw.fetchval("SELECT count(*) FROM entries"):
            await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        while await raw.fetchval("SELECT count(*) FROM transactions") < len(deposits):
            await asyncio.sleep(0)
        amounts = await raw.fetchval(
            "SELECT array_agg(amount ORDER BY id) FROM entries WHERE account_id = $1", account.account_id
        )
        assert amounts == list(range(1, 21))
