"""The feed in the database: commit order, epochs, and its end."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bank_graphql.accounts.enums import AccountKind
from bank_graphql.accounts.feed import cursor_of
from bank_graphql.api.streams import MOST_SOCKETS, Streams
from bank_graphql.bank import Bank
from bank_graphql.events import service as events
from bank_graphql.events.errors import CursorExpired
from bank_graphql.events.hub import Interest, Subscriber
from bank_graphql.identity.service import SignedIn
from bank_graphql.kit.actor import Actor, Origin
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.errors import RateLimited, Unauthenticated
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.money import Money
from bank_graphql.payments.commands import Deposit, OpenAccount, Withdraw
from bank_graphql.payments.groups import Group
from bank_graphql.payments.outcomes import Opened
from tests.client import PASSWORD

Settled = Callable[[], Awaitable[None]]


@pytest.fixture
async def ada(bank: Bank) -> Actor:
    signed_in: SignedIn = await bank.identity.sign_up(
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
async def followed(bank: Bank) -> AsyncIterator[Bank]:
    async with bank.feed_running():
        while bank.hub.position is None:
            await asyncio.sleep(0)
        yield bank


async def deposit(bank: Bank, ada: Actor, account: Any, amount: int = 100) -> None:
    await bank.execute(Group((Deposit(actor=ada, key=new_id().hex, account_id=account, amount=Money(amount, "EUR")),)))


async def test_a_slow_transaction_with_a_low_id_is_waited_for_and_order_holds(
    followed: Bank, ada: Actor, account: Any, raw: "asyncpg.Connection[asyncpg.Record]", dsn: str
) -> None:
    seen: list[Any] = []

    async def follow() -> None:
        async with aclosing(followed.hub.events(Subscriber(Interest(owner_id=ada.user_id)), None)) as stream:
            async for event in stream:
                seen.append(event)
                if len(seen) == 4:
                    return

    following = asyncio.create_task(follow())
    while not followed.hub.subscribers:
        await asyncio.sleep(0)
    await deposit(followed, ada, account, 1)
    while not seen:
        await asyncio.sleep(0.005)
    transaction = await raw.fetchval("SELECT id FROM transactions LIMIT 1")
    slow = await asyncpg.connect(dsn)
    begun = slow.transaction()
    await begun.start()
    writer = int(await slow.fetchval("SELECT pg_current_xact_id()::text"))
    await deposit(followed, ada, account, 2)
    await deposit(followed, ada, account, 3)
    feed = followed.feed
    assert len(await feed.page(Interest(owner_id=ada.user_id), None, 10)) == 1
    await slow.execute(
        "INSERT INTO transaction_events (kind, account_id, transaction_id, occurred_at) VALUES ('POSTED', $1, $2, now())",
        account,
        transaction,
    )
    await begun.commit()
    await slow.close()
    await asyncio.wait_for(following, 10)
    assert [event.position for event in seen] == sorted(event.position for event in seen)
    assert seen[1].position.writer == writer
    assert [event.position for event in await feed.page(Interest(owner_id=ada.user_id), None, 10)] == [
        event.position for event in seen
    ]


async def test_old_events_end_and_so_do_their_cursors(bank: Bank, ada: Actor, account: Any, settled: Settled) -> None:
    for _ in range(3):
        await deposit(bank, ada, account)
    await settled()
    interest = Interest(owner_id=ada.user_id)
    first, second, third = await bank.feed.page(interest, None, 10)
    assert await events.forget_old_events(bank.db, utc_now, timedelta(days=1)) == 0
    assert await bank.feed.since(cursor_of(first.position)) == first.position
    cutoff = second.occurred_at + (third.occurred_at - second.occurred_at) / 2
    assert await events.forget_old_events(bank.db, lambda: cutoff, timedelta(), most=1) == 2
    assert [event.position for event in await bank.feed.page(interest, None, 10)] == [third.position]
    assert await bank.feed.since(cursor_of(second.position)) == second.position
    with pytest.raises(CursorExpired):
        await bank.feed.since(cursor_of(first.position))


async def test_a_cluster_that_was_restored_elsewhere_begins_a_new_epoch(
    bank: Bank, ada: Actor, account: Any, raw: "asyncpg.Connection[asyncpg.Record]", settled: Settled
) -> None:
    await deposit(bank, ada, account)
    epoch = await events.begin_epoch(bank.db, utc_now)
    assert await events.begin_epoch(bank.db, utc_now) == epoch
    await raw.execute("UPDATE feed_epochs SET cluster = 'another'")
    await raw.execute("ALTER TABLE transaction_events DISABLE TRIGGER USER")
    await raw.execute("UPDATE transaction_events SET writer = '900000000000'")  # as it was counted there
    assert await events.begin_epoch(bank.db, utc_now) == epoch + 1
    feed = bank.feed
    [before] = await feed.page(Interest(owner_id=ada.user_id), None, 10)
    assert before.position.epoch == epoch
    await raw.execute(
        "INSERT INTO transaction_events (kind, account_id, transaction_id, occurred_at) VALUES ('POSTED', $1, $2, now())",
        account,
        before.transaction_id,
    )
    await settled()
    [_, after] = await feed.page(Interest(owner_id=ada.user_id), None, 10)
    assert after.position.epoch == epoch + 1
    assert [event.position for event in await feed.page(Interest(owner_id=ada.user_id), before.position, 10)] == [after.position]


async def test_what_is_deleted_during_a_replay_is_told(bank: Bank, ada: Actor, account: Any, settled: Settled) -> None:
    for _ in range(3):
        await deposit(bank, ada, account)
    await settled()
    interest = Interest(owner_id=ada.user_id)
    first, second, third = await bank.feed.page(interest, None, 10)
    assert await bank.feed.since(cursor_of(first.position)) == first.position
    assert [event.position for event in await bank.feed.of(interest, first.position, third.position, 1)] == [second.position]
    await events.forget_old_events(bank.db, utc_now, timedelta())
    with pytest.raises(CursorExpired):
        await bank.feed.of(interest, first.position, third.position, 1)


async def follow_into(seen: list[Any], streams: Streams, actor: Actor, account: Any) -> None:
    events: Any = streams.events(actor, Interest(accounts=frozenset({account})), None)
    async with aclosing(events) as stream:
        async for event in stream:
            seen.append(event)  # noqa: PERF401 - as they come


async def test_a_closed_account_keeps_its_last_event_however_late_it_may_be_read(
    followed: Bank, ada: Actor, account: Any, dsn: str
) -> None:
    streams = Streams(followed.hub, followed.feed, followed.identity, utc_now)
    await deposit(followed, ada, account, 100)
    seen: list[Any] = []
    following = asyncio.create_task(follow_into(seen, streams, ada, account))
    while not followed.hub.subscribers:
        await asyncio.sleep(0)
    holding = await asyncpg.connect(dsn)
    begun = holding.transaction()
    await begun.start()
    await holding.fetchval("SELECT pg_current_xact_id()::text")
    await followed.execute(Group((Withdraw(actor=ada, key="all", account_id=account, amount=Money(100, "EUR")),)))
    await followed.accounts.close(ada, account)
    for _ in range(2):
        await streams.check()
    assert not following.done()
    await begun.rollback()
    await holding.close()
    while not following.done():
        await streams.check()
    last = (await followed.feed.page(Interest(owner_id=ada.user_id), None, 10))[-1]
    assert seen[-1].position == last.position


async def test_a_stream_ends_when_its_user_may_no_longer_do_what_it_was_begun_with(
    followed: Bank, ada: Actor, account: Any, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    streams = Streams(followed.hub, followed.feed, followed.identity, utc_now)
    following = asyncio.create_task(follow_into([], streams, ada, account))
    while not followed.hub.subscribers:
        await asyncio.sleep(0)
    await streams.check()
    assert not following.done()
    await raw.execute("UPDATE users SET role = 'TELLER'")
    await streams.check()
    with pytest.raises(Unauthenticated):
        await following


async def test_streams_and_sockets_are_bounded_for_each_user_and_address(followed: Bank, ada: Actor) -> None:
    streams = Streams(followed.hub, followed.feed, followed.identity, utc_now)
    for actor in (ada, None):
        watched = [streams.watch(actor, Origin(ip_address="192.0.2.1"), lambda _: None) for _ in range(MOST_SOCKETS)]
        with pytest.raises(RateLimited):
            streams.watch(actor, Origin(ip_address="192.0.2.1"), lambda _: None)
        watched[0]()
        watched[0]()
        streams.watch(actor, Origin(ip_address="192.0.2.1"), lambda _: None)
