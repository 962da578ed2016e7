"""The rooms of a bank, for executors without the web."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bank_graphql.accounts.grants import Grants
from bank_graphql.api.context import Services
from bank_graphql.api.loaders import Readers
from bank_graphql.api.streams import Streams
from bank_graphql.bank import Bank
from bank_graphql.kit.clock import utc_now
from bank_graphql.kit.links import Links
from bank_graphql.kit.rate_limiter import RateLimiter


def services_of(bank: Bank) -> Services:
    """The services of a request's context."""
    links = Links("http://bank", [b"key"], lambda: datetime(2030, 1, 1, tzinfo=UTC))  # the same links in each answer
    return Services(
        db=bank.db,
        clock=bank.clock,
        due_jobs=bank.due_jobs,
        issuer=bank.issuer,
        links=links,
        readers=Readers(bank.db, bank.policy.cards.calendar, utc_now, links, bank.issuer.months),
        identity=bank.people.identity,
        users=bank.people.users,
        credentials=bank.people.credentials,
        step_up=bank.people.step_up,
        addresses=bank.people.addresses,
        accounts=bank.accounts,
        members=bank.members,
        grants=Grants(bank.db, utc_now, bank.people.identity),
        approvals=bank.approvals,
        closing=bank.closing,
        cards=bank.cards,
        payees=bank.payees,
        schedules=bank.schedules,
        products=bank.products,
        feed=bank.feed,
        streams=Streams(bank.hub, bank.feed, bank.people.identity.sessions, bank.members, utc_now),
        execute=bank.execute,
        limiter=RateLimiter(),
        attempts_per_minute=10**9,
    )


@asynccontextmanager
async def followed(bank: Bank) -> AsyncIterator[None]:
    """While the feed has subscribers served."""
    async with bank.feed_running():
        while bank.hub.position is None:
            await asyncio.sleep(0)
        yield
