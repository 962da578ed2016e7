"""Puts the rooms together, from the database up to the payments: their services, jobs and checks. `app` and `cli` use it."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from functools import partial
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo

from bank_graphql.accounts.closing import Closing
from bank_graphql.accounts.feed import EventRow, Feed
from bank_graphql.accounts.grants import drop_accounts
from bank_graphql.accounts.members import Members, end_invitations
from bank_graphql.accounts.rules import Numbering
from bank_graphql.accounts.service import Accounts, Ending
from bank_graphql.approvals import jobs as approvals_jobs
from bank_graphql.approvals.service import Approvals, FourEyes
from bank_graphql.audit import jobs as audit_jobs
from bank_graphql.audit.checkpoints import CheckpointSigner
from bank_graphql.audit.verification import AuditChain
from bank_graphql.batching import batched_execute, max_locks
from bank_graphql.cards import jobs as cards_jobs
from bank_graphql.cards import service as cards
from bank_graphql.cards import verification as cards_verification
from bank_graphql.cards.rules import Calendar, CardPolicy
from bank_graphql.cards.service import Cards
from bank_graphql.cards.vault import Vault
from bank_graphql.clearing import verification as clearing_verification
from bank_graphql.clearing.rules import BusinessDays, ClearingPolicy
from bank_graphql.database import ROLE, archive_jobs, open_database, open_reads, open_server
from bank_graphql.events import jobs as events_jobs
from bank_graphql.events import service as events
from bank_graphql.events.hub import Hub, waker
from bank_graphql.events.metrics import FeedMetrics
from bank_graphql.keys import card_keys
from bank_graphql.kit import db_metrics, machine_metrics
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.db_session import PUBLIC
from bank_graphql.kit.embedded import SUPERUSER
from bank_graphql.kit.jobs import DueJob, Job
from bank_graphql.kit.links import Links
from bank_graphql.kit.metrics import Metrics
from bank_graphql.kit.months import Months
from bank_graphql.kit.notifications import Notifier, PostgresNotifier, RedisNotifier
from bank_graphql.kit.seals import Seals
from bank_graphql.kit.statements import Reads
from bank_graphql.kit.tracing import Tracing
from bank_graphql.ledger import metrics as ledger_metrics
from bank_graphql.ledger import verification as ledger_verification
from bank_graphql.payees.service import Payees
from bank_graphql.payments import jobs as payments_jobs
from bank_graphql.payments import service as payments
from bank_graphql.payments import verification as payments_verification
from bank_graphql.payments.clock import BankClock
from bank_graphql.payments.groups import Group
from bank_graphql.payments.metrics import PaymentMetrics
from bank_graphql.payments.outcomes import Outcome
from bank_graphql.people import People, open_people
from bank_graphql.products import jobs as products_jobs
from bank_graphql.products import metrics as products_metrics
from bank_graphql.products import verification as products_verification
from bank_graphql.products.fees import fees_of
from bank_graphql.products.interest import Interest
from bank_graphql.products.service import Products
from bank_graphql.schedules import jobs as schedules_jobs
from bank_graphql.schedules import metrics as schedules_metrics
from bank_graphql.schedules import service as schedules_service
from bank_graphql.schedules import verification as schedules_verification
from bank_graphql.schedules.rules import Timetable
from bank_graphql.schedules.runner import Runner
from bank_graphql.schedules.service import Schedules
from bank_graphql.settings import Settings
from bank_graphql.statements import jobs as statements_jobs
from bank_graphql.statements import verification as statements_verification
from bank_graphql.statements.service import Issuer

CLOCK_SECONDS = 1
"""How often to look whether another process has moved the clock."""
CHANNEL = "bank_feed"
"""The channel on which processes notify each other of new events."""
CHECKS = (
    *ledger_verification.CHECKS,
    AuditChain(),
    *cards_verification.CHECKS,
    *clearing_verification.CHECKS,
    *payments_verification.CHECKS,
    *products_verification.CHECKS,
    *schedules_verification.CHECKS,
    *statements_verification.CHECKS,
)
"""The checks of all rooms, for `verify`."""


@dataclass(frozen=True, slots=True)
class Bank:
    """The rooms of one process, put together.

    Attributes:
        reads: what only reads for requests: the database, or its replica.
        execute: executes a group of commands, in batches with those of other requests.
        interest: accrues interest and closes months.
        run_schedules: makes the transfers of standing orders that are due, and returns how many were tried.
        expire_holds: expires all holds that are due, and returns how many expired.
        clock: gives the bank's time.
        issuer: the bank as its statements name it.
        links: makes and checks links to documents.
        due_jobs: do what falls due by the bank's time. They are among the jobs.
        jobs: what a serving process runs periodically.
    """

    db: Database
    reads: Reads
    people: People
    accounts: Accounts
    members: Members
    approvals: Approvals
    closing: Closing
    cards: Cards
    payees: Payees
    schedules: Schedules
    products: Products
    interest: Interest
    run_schedules: Callable[[], Awaitable[int]]
    policy: payments.Policy
    audit_signer: CheckpointSigner
    feed: Feed
    hub: Hub[EventRow]
    execute: Callable[[Group], Awaitable[list[Outcome]]]
    expire_holds: Callable[[], Awaitable[int]]
    clock: BankClock
    issuer: Issuer
    links: Links
    due_jobs: tuple[DueJob, ...]
    jobs: tuple[Job, ...]
    notifier: Notifier

    @asynccontextmanager
    async def feed_running(self) -> AsyncIterator[None]:
        """Read the feed for subscribers inside an `async with` block."""
        self.hub.start()
        self.notifier.start()
        try:
            yield
        finally:
            await self.hub.close()
            await self.notifier.close()


@asynccontextmanager
async def open_bank(
    settings: Settings, *, clock: Clock = utc_now, metrics: Metrics | None = None, tracing: Tracing | None = None
) -> AsyncIterator[Bank]:
    """Open the database (and run the embedded one) and put the rooms together; on leaving, finish the batches in progress.

    Args:
        settings: the bank's settings.
        clock: gives the real time.
        metrics: where the rooms declare what they measure; None if nobody reads it.
        tracing: traces batches and statements; None to trace nothing.

    Raises:
        ConfigurationError: a setting, a key or the database is not as the bank needs it.
    """
    metrics = metrics or Metrics()
    async with AsyncExitStack() as stack:
        owner, dsn, db = await _open_database(stack, settings, tracing)
        vault = await Vault.open(db, card_keys(settings), settings.card_bin)
        people = open_people(db, settings, clock, stack, metrics, vault.user_secrets_key)
        private_keys = people.identity.sessions.tokens.private_keys
        bank_clock = await BankClock.open(db, clock, is_movable=settings.is_sandbox)
        policy = _policy(settings, vault, bank_clock, PaymentMetrics(metrics))
        await events.start_epoch(db, clock)
        reads, replica_jobs = await stack.enter_async_context(open_reads(db, settings, metrics, tracing))
        feed = Feed(db)
        hub = _hub(feed, db, FeedMetrics(metrics, bank_clock))
        wake_feed = waker(hub, notifier := _notifier(settings, dsn, hub))
        expire_holds = _then_wake(wake_feed, partial(payments.expire_holds, db, policy))
        months = Months(ZoneInfo(settings.time_zone))
        issuer = Issuer(settings.name, settings.own_bic, months, bank_clock)
        interest = Interest(db, months, bank_clock, partial(_post_due, wake_feed, db, policy))
        _declare_metrics(metrics, db, settings, bank_clock, interest)
        execute = batched_execute(db, policy, settings, after_each=wake_feed, stack=stack, tracing=tracing)
        ending = Ending(interest.settle, payments.require_nothing_due, _end_of_account)
        accounts, members = Accounts(db, bank_clock, ending), _members(people, settings, bank_clock)
        schedules, runner = _schedules(db, settings, policy, execute, bank_clock)
        approvals = _approvals(db, settings, people, accounts, execute, bank_clock)
        due_jobs = (
            *_due_jobs(db, settings, issuer, expire_holds, wake_feed, policy, approvals),
            *(_schedule_jobs(db, settings, runner, interest, months) if settings.run_schedules else ()),
        )
        other_jobs = (*map(bank_clock.periodic, due_jobs), *archive_jobs(settings, owner, db, clock), *replica_jobs)
        signer = CheckpointSigner(urlsplit(settings.address).netloc, private_keys)
        yield Bank(
            db=db,
            reads=reads,
            people=people,
            accounts=accounts,
            members=members,
            approvals=approvals,
            closing=Closing(db, people.identity, people.users, members, bank_clock, ending),
            cards=Cards(db, people.identity, vault, bank_clock),
            payees=Payees(db, bank_clock, Seals(private_keys, "bank payees")),
            schedules=schedules,
            products=Products(db, months, bank_clock),
            interest=interest,
            run_schedules=runner.run_due,
            policy=policy,
            audit_signer=signer,
            feed=feed,
            hub=hub,
            execute=execute,
            expire_holds=expire_holds,
            clock=bank_clock,
            issuer=issuer,
            links=Links(settings.address, private_keys, clock),
            due_jobs=due_jobs,
            jobs=(*_jobs(db, settings, policy, bank_clock, people, signer, approvals), *other_jobs),
            notifier=notifier,
        )


async def _open_database(stack: AsyncExitStack, settings: Settings, tracing: Tracing | None) -> tuple[str, str, Database]:
    """Open the database; return its address for its owner, that for the bank, and the pool."""
    # The embedded server accepts any user who can reach its socket, so the application connects with its own role only.
    owner = await stack.enter_async_context(open_server(settings))
    dsn = settings.external_dsn or owner.replace(f"//{SUPERUSER}@", f"//{ROLE}@")
    db = await open_database(dsn, settings, tracing, max_locks=max_locks(settings))
    stack.push_async_callback(db.close)
    return owner, dsn, db


def _members(people: People, settings: Settings, clock: Clock) -> Members:
    """Return what decides who uses accounts beside their owners."""
    return Members(people.db, people.identity, people.outbox, bank_name=settings.name, clock=clock, end=_end_of_membership)


def _hub(feed: Feed, db: Database, metrics: FeedMetrics) -> Hub[EventRow]:
    """Return what reads the feed for subscribers, and is measured."""
    hub = Hub(feed, on_read=metrics.record)
    metrics.watch(hub, db)
    return hub


def _approvals(
    db: Database,
    settings: Settings,
    people: People,
    accounts: Accounts,
    execute: Callable[[Group], Awaitable[list[Outcome]]],
    clock: Clock,
) -> Approvals:
    """Return what decides about proposals."""
    policy = FourEyes(settings.four_eyes, settings.four_eyes_amount, timedelta(hours=settings.approval_hours))
    return Approvals(db, people.users, accounts, execute, policy, clock)


def _schedules(
    db: Database,
    settings: Settings,
    policy: payments.Policy,
    execute: Callable[[Group], Awaitable[list[Outcome]]],
    clock: Clock,
) -> tuple[Schedules, Runner]:
    """Return what keeps standing orders, and what makes their transfers."""
    timetable = Timetable(ZoneInfo(settings.time_zone), policy.clearing.days.nearest)
    runner = Runner(db, execute, timetable, clock)
    return Schedules(db, execute, runner.settle, timetable, clock), runner


def _schedule_jobs(
    db: Database,
    settings: Settings,
    runner: Runner,
    interest: Interest,
    months: Months,
) -> tuple[DueJob, ...]:
    """Return the jobs that move money by themselves."""
    seconds = settings.job_seconds
    return (
        *schedules_jobs.due_jobs(db, runner.run_due, seconds=seconds),
        *products_jobs.due_jobs(db, interest, months, seconds=seconds),
    )


async def _end_of_account(connection: Connection, account_id: UUID, now: datetime) -> None:
    """End what depends on an account that is closed."""
    await cards.cancel_of_account(connection, account_id, now)
    await schedules_service.cancel_of_account(connection, account_id, now)
    await end_invitations(connection, account_id)


async def _end_of_membership(connection: Connection, account_id: UUID, user_id: UUID, now: datetime) -> None:
    """End what depends on a membership that ended."""
    await schedules_service.cancel_of_member(connection, account_id, user_id, now)
    await drop_accounts(connection, account_id, user_id)


async def _post_due(wake_feed: Callable[[], None], db: Database, policy: payments.Policy, account_id: UUID | None = None) -> int:
    """Post what is due of an account, or of all; return how much was posted."""
    if posted := await payments.post_due(db, policy, account_id):
        wake_feed()
    return posted


def _then_wake(wake_feed: Callable[[], None], work: Callable[[], Awaitable[int]]) -> Callable[[], Awaitable[int]]:
    """Return a function that does the work, wakes the feed if anything was done, and returns how much."""

    async def run() -> int:
        if done := await work():
            wake_feed()
        return done

    return run


def _declare_metrics(metrics: Metrics, db: Database, settings: Settings, clock: Clock, interest: Interest) -> None:
    """Declare what is measured of the database, the books, what is due, and the machine."""
    db_metrics.declare(metrics, db)
    ledger_metrics.declare(metrics, db)
    schedules_metrics.declare(metrics, db, clock)
    products_metrics.declare(metrics, db, interest)
    archive = {"archive": settings.archive_dir} if settings.archive_dir else {}
    machine_metrics.declare_disks(metrics, {"data": settings.data_dir, **archive})
    machine_metrics.declare_certificate(metrics, settings.address)


def _due_jobs(
    db: Database,
    settings: Settings,
    issuer: Issuer,
    expire_holds: Callable[[], Awaitable[int]],
    wake_feed: Callable[[], None],
    policy: payments.Policy,
    approvals: Approvals,
) -> tuple[DueJob, ...]:
    """Return the jobs for what falls due, beside those of standing orders and products."""
    seconds = settings.job_seconds
    return (
        *payments_jobs.due_jobs(
            db,
            expire_holds=expire_holds,
            clear_transfers=_then_wake(wake_feed, partial(payments.clear_transfers, db, policy)) if settings.is_sandbox else None,
            seconds=seconds,
        ),
        *cards_jobs.due_jobs(db, issuer.clock, seconds=seconds),
        *statements_jobs.due_jobs(db, issuer, seconds=seconds),
        *approvals_jobs.due_jobs(db, approvals, seconds=seconds),
    )


def _jobs(
    db: Database,
    settings: Settings,
    policy: payments.Policy,
    clock: BankClock,
    people: People,
    signer: CheckpointSigner,
    approvals: Approvals,
) -> tuple[Job, ...]:
    seconds = settings.job_seconds
    return (
        *([Job("read the clock", CLOCK_SECONDS, clock.read)] if clock.is_movable else []),
        *payments_jobs.jobs(db, policy, seconds=seconds, keep_keys=timedelta(days=settings.key_days)),
        *people.jobs(seconds=seconds),
        *approvals_jobs.jobs(approvals, seconds=seconds),
        *audit_jobs.jobs(db, signer, settings.audit_checkpoints, seconds=seconds),
        *events_jobs.jobs(db, policy.clock, seconds=seconds, keep=timedelta(days=settings.feed_days)),
    )


def _policy(settings: Settings, vault: Vault, clock: Clock, metrics: PaymentMetrics) -> payments.Policy:
    zone, numbering = ZoneInfo(settings.time_zone), Numbering(settings.iban_country, settings.iban_bank_code)
    return payments.Policy(
        sandbox=settings.is_sandbox,
        credit_limit=settings.sandbox_credit_limit if settings.is_sandbox else 0,
        step_up_above=settings.step_up_amount,
        approval_lasts=timedelta(hours=settings.approval_hours),
        numbering=numbering,
        cards=CardPolicy(
            Calendar(zone),
            settings.card_years,
            timedelta(days=settings.card_hold_days),
            settings.tolerances,
        ),
        clearing=ClearingPolicy(BusinessDays(zone, time.fromisoformat(settings.cut_off)), numbering.is_own),
        vault=vault,
        clock=clock,
        metrics=metrics,
        fees=partial(fees_of, Months(zone)),
    )


def _notifier(settings: Settings, dsn: str, hub: Hub[EventRow]) -> Notifier:
    channel = CHANNEL if settings.database_schema == PUBLIC else f"{CHANNEL}_{settings.database_schema}"
    if settings.redis_url is not None:
        return RedisNotifier(settings.redis_url.get_secret_value(), channel, hub.wake)
    return PostgresNotifier(dsn, channel, hub.wake)
