"""The feed in the database: commit order, epochs, deletion, and when streams end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.accounts.feed import cursor_of
from bank_graphql.api.streams import MAX_SOCKETS, Streams
from bank_graphql.bank import Bank
from bank_graphql.events import service as events
from bank_graphql.events.errors import CursorExpired
from bank_graphql.events.hub import Interest, Subscriber
from bank_graphql.identity.sessions import SignedIn
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.errors import RateLimited, Unauthenticated
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import Deposit, OpenAccount, Withdraw
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Opened
from tests.client import PASSWORD
from tests.events.subscriptions import until_subscribed

WaitUntilIdle = Callable[[], Awaitable[None]]


@pytest.fixture
async def ada(bank: Bank) -> Actor:
    signed_in: SignedIn = await bank.people.identity.sign_up(
        email="ada@bank.test", password=PASSWORD, full_name="Ada", phone_number=None, origin=Origin()
    )
    return signed_in.actor


@pytest.fixture
async def account(bank: Bank, ada: Actor) -> Any:
    [outcome] = await bank.execute(
        Group((OpenAccount(actor=ada, key="open", kind=AccountKind.CHECKING, currency="EUR", name="Daily"),))
    )
    assert isinstance(outcome, Opened)
    return outcome.account_id


@pytest.fixture
async def running(bank: Bank) -> AsyncIterator[Bank]:
    async with bank.feed_running():
        while bank.hub.position is None:
            await asyncio.sleep(0)
        yield bank


async def deposit(bank: Bank, ada: Actor, account: Any, amount: int = 100) -> None:
    await bank.execute(Group((Deposit(actor=ada, key=new_id().hex, account_id=account, amount=Money(amount, "EUR")),)))


async def test_events_come_in_order_even_if_a_transaction_with_a_low_id_is_slow(
    running: Bank, ada: Actor, account: Any, raw: "asyncpg.Connection[asyncpg.Record]", dsn: str
) -> None:
    seen: list[Any] = []

    async def subscribe() -> None:
        async with aclosing(running.hub.events(Subscriber(Interest(owner_id=ada.user_id)), None)) as stream:
            async for event in stream:
                seen.append(event)
                if len(seen) == 4:
                    return

    subscription = asyncio.create_task(subscribe())
    await until_subscribed(running.hub)
    await deposit(running, ada, account, 1)
    while not seen:
        await asyncio.sleep(0.005)
    transaction = await raw.fetchval("SELECT id FROM transactions LIMIT 1")
    slow = await asyncpg.connect(dsn)
    open_transaction = slow.transaction()
    await open_transaction.start()
    writer = int(await slow.fetchval("SELECT pg_current_xact_id()::text"))
    await deposit(running, ada, account, 2)
    await deposit(running, ada, account, 3)
    feed = running.feed
    assert len(await feed.page(Interest(owner_id=ada.user_id), None, 10)) == 1
    await slow.execute(
        "INSERT INTO transaction_events (kind, account_id, transaction_id, occurred_at) VALUES ('POSTED', $1, $2, now())",
        account,
        transaction,
    )
    await open_transaction.commit()
    await slow.close()
    await asyncio.wait_for(subscription, 10)
    assert [event.position for event in seen] == sorted(event.position for event in seen)
    assert seen[1].position.writer == writer
    assert [event.position for event in await feed.page(Interest(owner_id=ada.user_id), None, 10)] == [
        event.position for event in seen
    ]


async def test_the_cursors_of_deleted_events_expire(bank: Bank, ada: Actor, account: Any, wait_until_idle: WaitUntilIdle) -> None:
    for _ in range(3):
        await deposit(bank, ada, account)
    await wait_until_idle()
    interest = Interest(owner_id=ada.user_id)
    first, second, third = await bank.feed.page(interest, None, 10)
    assert await events.delete_old_events(bank.db, utc_now, timedelta(days=1)) == 0
    assert await bank.feed.resume_position(cursor_of(first.position)) == first.position
    cutoff = second.occurred_at + (third.occurred_at - second.occurred_at) / 2
    assert await events.delete_old_events(bank.db, lambda: cutoff, timedelta(), batch_size=1) == 2
    assert [event.position for event in await bank.feed.page(interest, None, 10)] == [third.position]
    assert await bank.feed.resume_position(cursor_of(second.position)) == second.position
    with pytest.raises(CursorExpired):
        await bank.feed.resume_position(cursor_of(first.position))


async def test_a_database_moved_to_another_cluster_starts_a_new_epoch(
    bank: Bank, ada: Actor, account: Any, raw: "asyncpg.Connection[asyncpg.Record]", wait_until_idle: WaitUntilIdle
) -> None:
    await deposit(bank, ada, account)
    epoch = await events.start_epoch(bank.db, utc_now)
    assert await events.start_epoch(bank.db, utc_now) == epoch
    await raw.execute("UPDATE feed_epochs SET cluster = 'another'")
    await raw.execute("ALTER TABLE transaction_events DISABLE TRIGGER USER")
    await raw.execute("UPDATE transaction_events SET writer = '900000000000'")  # transaction ids of the old cluster were higher
    assert await events.start_epoch(bank.db, utc_now) == epoch + 1
    feed = bank.feed
    [before] = await feed.page(Interest(owner_id=ada.user_id), None, 10)
    assert before.position.epoch == epoch
    await raw.execute(
        "INSERT INTO transaction_events (kind, account_id, transaction_id, occurred_at) VALUES ('POSTED', $1, $2, now())",
        account,
        before.transaction_id,
    )
    await wait_until_idle()
    [_, after] = await feed.page(Interest(owner_id=ada.user_id), None, 10)
    assert after.position.epoch == epoch + 1
    assert [event.position for event in await feed.page(Interest(owner_id=ada.user_id), before.position, 10)] == [after.position]


async def test_a_replay_fails_if_its_events_are_deleted_meanwhile(
    bank: Bank, ada: Actor, account: Any, wait_until_idle: WaitUntilIdle
) -> None:
    for _ in range(3):
        await deposit(bank, ada, account)
    await wait_until_idle()
    interest = Interest(owner_id=ada.user_id)
    first, second, third = await bank.feed.page(interest, None, 10)
    assert await bank.feed.resume_position(cursor_of(first.position)) == first.position
    assert [event.position for event in await bank.feed.replay(interest, first.position, third.position, 1)] == [second.position]
    await events.delete_old_events(bank.db, utc_now, timedelta())
    with pytest.raises(CursorExpired):
        await bank.feed.replay(interest, first.position, third.position, 1)


async def collect_into(seen: list[Any], streams: Streams, actor: Actor, account: Any) -> None:
    events: Any = streams.events(actor, Interest(account_ids=frozenset({account})), None)
    async with aclosing(events) as stream:
        async for event in stream:
            seen.append(event)  # noqa: PERF401 - one by one, as they happen


async def test_a_stream_of_a_closed_account_ends_after_its_last_event(running: Bank, ada: Actor, account: Any, dsn: str) -> None:
    streams = Streams(running.hub, running.feed, running.people.identity.sessions, running.members, utc_now)
    await deposit(running, ada, account, 100)
    seen: list[Any] = []
    subscription = asyncio.create_task(collect_into(seen, streams, ada, account))
    await until_subscribed(running.hub)
    slow = await asyncpg.connect(dsn)
    open_transaction = slow.transaction()
    await open_transaction.start()
    await slow.fetchval("SELECT pg_current_xact_id()::text")
    await running.execute(Group((Withdraw(actor=ada, key="all", account_id=account, amount=Money(100, "EUR")),)))
    await running.accounts.close(ada, account)
    for _ in range(2):
        await streams.check()
    assert not subscription.done()
    await open_transaction.rollback()
    await slow.close()
    while not subscription.done():
        await streams.check()
    last = (await running.feed.page(Interest(owner_id=ada.user_id), None, 10))[-1]
    assert seen[-1].position == last.position


async def test_a_stream_ends_when_its_users_permissions_change(
    running: Bank, ada: Actor, account: Any, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    streams = Streams(running.hub, running.feed, running.people.identity.sessions, running.members, utc_now)
    subscription = asyncio.create_task(collect_into([], streams, ada, account))
    await until_subscribed(running.hub)
    await streams.check()
    assert not subscription.done()
    await raw.execute("UPDATE users SET role = 'TELLER'")
    await streams.check()
    with pytest.raises(Unauthenticated):
        await subscription


async def test_sockets_are_limited_per_user_and_per_network(running: Bank, ada: Actor) -> None:
    streams = Streams(running.hub, running.feed, running.people.identity.sessions, running.members, utc_now)
    for actor in (ada, None):
        watched = [streams.watch(actor, Origin(ip_address="192.0.2.1"), lambda _: None) for _ in range(MAX_SOCKETS)]
        with pytest.raises(RateLimited):
            streams.watch(actor, Origin(ip_address="192.0.2.1"), lambda _: None)
        watched[0]()
        watched[0]()
        streams.watch(actor, Origin(ip_address="192.0.2.1"), lambda _: None)
