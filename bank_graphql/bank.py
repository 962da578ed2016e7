"""Puts the rooms together, from the database up to the payments; `app` and `cli` build on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import structlog

from bank_graphql.accounts.feed import Feed
from bank_graphql.accounts.rules import Numbering
from bank_graphql.accounts.service import Accounts
from bank_graphql.audit import service as audit
from bank_graphql.cards import service as cards
from bank_graphql.cards.rules import Calendar, CardPolicy
from bank_graphql.cards.service import Cards
from bank_graphql.cards.vault import Vault, master_keys, rotate
from bank_graphql.events import service as events
from bank_graphql.events.hub import Hub
from bank_graphql.identity.passwords import PasswordHasher
from bank_graphql.identity.service import Identity
from bank_graphql.identity.tokens import AccessTokens, load_keys, signing_keys
from bank_graphql.kit.batch import Batcher
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.db import Database, can_set_role
from bank_graphql.kit.embedded import SUPERUSER, EmbeddedPostgres
from bank_graphql.kit.errors import ConfigurationError, Refusal
from bank_graphql.kit.jobs import Job
from bank_graphql.kit.keysets import KeySource
from bank_graphql.kit.notifications import Notifier, PostgresNotifier, RedisNotifier
from bank_graphql.payments import service as payments
from bank_graphql.payments.groups import GROUP_MAX, Group
from bank_graphql.payments.outcomes import Outcome
from bank_graphql.settings import Environment, Settings

_OWNS = "SELECT EXISTS (SELECT FROM pg_tables WHERE tablename = 'entries' AND pg_has_role(session_user, tableowner, 'MEMBER'))"
_log = structlog.get_logger(__name__)
ROLE = "bank_app"
"""The application's role, made by the migrations: it can add to the books and cannot rewrite them."""
LOCKS_PER_COMMAND = 3
BATCHES_AT_A_TIME = 3
CHANNEL = "bank_feed"
"""Where processes tell each other that there are new events."""


@dataclass(frozen=True, slots=True)
class Bank:
    """The rooms of one process, put together."""

    db: Database
    identity: Identity
    accounts: Accounts
    cards: Cards
    policy: payments.Policy
    feed: Feed
    hub: Hub
    execute: Callable[[Group], Awaitable[list[Outcome]]]
    expire_holds: Callable[[], Awaitable[int]]
    jobs: tuple[Job, ...]
    notifier: Notifier

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Have the feed read for subscribers until leaving."""
        self.hub.start()
        self.notifier.start()
        try:
            yield
        finally:
            await self.hub.close()
            await self.notifier.close()


@asynccontextmanager
async def open_server(settings: Settings) -> AsyncIterator[str]:
    """The address of the database for the owner of its schema; the embedded server runs at least until leaving.

    Raises:
        ConfigurationError: the embedded server does not start.
    """
    if settings.external_dsn is not None:
        yield settings.owner_dsn or settings.external_dsn
    else:
        async with EmbeddedPostgres(settings.data_dir) as dsn:
            yield dsn


@asynccontextmanager
async def open_bank(settings: Settings, *, clock: Clock = utc_now) -> AsyncIterator[Bank]:
    """Open the database (and run the embedded one) and put the rooms together; on leaving, finish what is under way.

    Raises:
        ConfigurationError: something is not set up as it must be.
    """
    async with AsyncExitStack() as stack:
        # The embedded server lets in whoever can reach its socket: there the application connects as no more than it is.
        owner = await stack.enter_async_context(open_server(settings))
        dsn = settings.external_dsn or owner.replace(f"//{SUPERUSER}@", f"//{ROLE}@")
        db = await Database.open(
            dsn,
            min_size=settings.pool_min_size,
            max_size=settings.pool_max_size,
            statement_timeout=settings.statement_timeout,
            role=ROLE if await can_set_role(dsn, ROLE, insert_into="entries") else None,
        )
        stack.push_async_callback(db.close)
        await _require_lock_table(db, settings)
        async with db.connection() as connection:
            if await connection.raw.fetchval(_OWNS) and settings.env is Environment.PRODUCTION:
                _log.warning("the application acts as the owner of its tables; see BANK_OWNER_DATABASE_URL")
        identity = _identity(db, settings, clock, stack)
        policy = await _policy(db, settings, clock)
        await events.begin_epoch(db, clock)
        feed = Feed(db)
        hub = Hub(feed)
        notifier = _notifier(settings, dsn, hub)

        def tell() -> None:
            hub.wake()
            notifier.notify()

        async def expire_holds() -> int:
            if expired := await payments.expire_holds(db, policy):
                tell()
            return expired

        execute = _batched(db, policy, settings, told=tell, stack=stack)
        yield Bank(
            db=db,
            identity=identity,
            accounts=Accounts(db, clock, cards.cancel_of_account),
            cards=Cards(db, identity, policy.vault, clock),
            policy=policy,
            feed=feed,
            hub=hub,
            execute=execute,
            expire_holds=expire_holds,
            jobs=(Job("expire holds", settings.job_seconds, expire_holds), *_jobs(db, settings, policy)),
            notifier=notifier,
        )


def _batched(
    db: Database, policy: payments.Policy, settings: Settings, *, told: Callable[[], None], stack: AsyncExitStack
) -> Callable[[Group], Awaitable[list[Outcome]]]:
    """Gathers what is to be carried out into batches; `told` is called after each."""

    async def carry_out(groups: Sequence[Group]) -> Sequence[list[Outcome] | Refusal]:
        try:
            return await payments.execute_groups(db, policy, groups)
        finally:
            told()

    batcher: Batcher[Group, list[Outcome]] = Batcher(
        carry_out,
        size_of=lambda group: len(group.commands),
        max_batch_size=settings.batch_max,
        max_queue_size=settings.batch_queue,
        owner_of=lambda group: group.owner_id,
        max_queue_size_per_owner=settings.batch_queue // 4,
        max_concurrent_batches=BATCHES_AT_A_TIME,
        max_concurrent_size=_max_concurrent_commands(settings),
        min_start_ratio=0.5,
    )
    stack.push_async_callback(batcher.close)

    async def in_pieces(group: Group) -> list[Outcome]:
        return [outcome for piece in group.split(settings.batch_max) for outcome in await batcher.submit(piece)]

    async def execute(group: Group) -> list[Outcome]:
        if len(group.commands) <= settings.batch_max:
            return await batcher.submit(group)
        # Large transactions would nearly always share some account, and wait for one another. All of them or none begin, and
        # those that have are finished, even if the caller goes away.
        batcher.require_room(group)
        return await asyncio.shield(asyncio.create_task(in_pieces(group)))

    return execute


def _jobs(db: Database, settings: Settings, policy: payments.Policy) -> Iterator[Job]:
    forget_old_events = partial(events.forget_old_events, db, policy.clock, timedelta(days=settings.feed_days))
    forget_old_keys = partial(payments.delete_old_keys, db, policy, timedelta(days=settings.key_days))
    yield Job("expire cards", max(settings.job_seconds, 60), partial(cards.expire, db, policy.clock))
    yield Job("forget old keys", max(settings.job_seconds, 600), forget_old_keys)
    yield Job("forget old events", max(settings.job_seconds, 600), forget_old_events)


async def _policy(db: Database, settings: Settings, clock: Clock) -> payments.Policy:
    return payments.Policy(
        sandbox=settings.is_sandbox,
        credit_limit=settings.sandbox_credit_limit if settings.is_sandbox else 0,
        numbering=Numbering(settings.iban_country, settings.iban_bank_code),
        cards=CardPolicy(
            Calendar(ZoneInfo(settings.time_zone)),
            settings.card_years,
            timedelta(days=settings.card_hold_days),
            settings.tolerances,
        ),
        vault=await Vault.open(db, card_keys(settings), settings.card_bin),
        clock=clock,
    )


def card_keys(settings: Settings) -> KeySource:
    """Where the cards' master keys come from."""
    given = settings.card_keys.get_secret_value() if settings.card_keys else None
    return master_keys(given, None if settings.env is Environment.PRODUCTION else settings.data_dir / "keys")


async def rotate_card_keys(settings: Settings, db: Database) -> int:
    """Exchange the cards' master key on a live bank; tell how many cards are under the new one since.

    Raises:
        ConfigurationError: the keys cannot be read or written, or one is missing.
    """
    source = card_keys(settings)
    rotated = await rotate(db, await Vault.open(db, source, settings.card_bin), source)
    record = audit.Record(utc_now(), None, "rotateCardKeys")
    await db.transact(lambda connection: audit.write(connection, [record]))
    return rotated


def _identity(db: Database, settings: Settings, clock: Clock, stack: AsyncExitStack) -> Identity:
    production = settings.env is Environment.PRODUCTION
    given = settings.signing_keys.get_secret_value() if settings.signing_keys else None
    keys = load_keys(signing_keys(given, None if production else settings.data_dir / "keys"))
    hasher = PasswordHasher()
    stack.callback(hasher.close)
    tokens = AccessTokens(
        keys,
        issuer=settings.address,
        audience=settings.address,
        lifetime=timedelta(minutes=settings.access_token_minutes),
    )
    return Identity(
        db,
        hasher,
        tokens,
        clock=clock,
        session_lifetime=timedelta(days=settings.session_days),
        allow_test_domains=settings.is_sandbox,
    )


def _notifier(settings: Settings, dsn: str, hub: Hub) -> Notifier:
    if settings.redis_url is not None:
        return RedisNotifier(settings.redis_url.get_secret_value(), CHANNEL, hub.wake)
    return PostgresNotifier(dsn, CHANNEL, hub.wake)


def _max_concurrent_commands(settings: Settings) -> int:
    """How many commands may be under way at a time: full batches, or a largest atomic group beside smaller ones."""
    return max(settings.batch_max * BATCHES_AT_A_TIME, GROUP_MAX * 3 // 2)


async def _require_lock_table(db: Database, settings: Settings) -> None:
    """See to it that the server can hold the locks of what is under way: one for the key and each account of every command."""
    needed = _max_concurrent_commands(settings) * LOCKS_PER_COMMAND
    size = await db.lock_table_size()
    if size < needed:
        raise ConfigurationError(
            f"The database can hold {size} locks, and full batches need {needed}: "
            "raise its max_locks_per_transaction, or lower BANK_BATCH_MAX."
        )
