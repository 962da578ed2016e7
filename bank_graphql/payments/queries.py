"""The facts that decisions are made on, read under the locks."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Text, Uuid, and_, any_, column, func, select
from sqlmodel import col

from bank_graphql.accounts.models import Account, AccountStatus
from bank_graphql.kit.db import Query, Row, array_of
from bank_graphql.ledger.models import Balance, Purpose
from bank_graphql.payments.models import IdempotencyOutcome, OutcomeKind


class ResolvedRow(Row):
    """The account behind an account number."""

    id: UUID
    number: str


class FactsRow(Row):
    """An account, or one of the bank's own, as it is under the locks."""

    account_id: UUID
    currency: str
    purpose: Purpose | None
    booked: int
    held: int
    overdraft_limit: int
    owner_id: UUID | None
    status: AccountStatus | None
    updated_at: datetime


class OutcomeRow(Row):
    """What is remembered of a key."""

    user_id: UUID
    key: str
    fingerprint: bytes
    outcome: OutcomeKind
    subject_id: UUID | None
    refusal: str | None


RESOLVE_NUMBERS = Query(
    select(col(Account.id), col(Account.number)).where(col(Account.number) == any_(array_of("numbers", Text()))),
    ResolvedRow,
)

FACTS = Query(
    select(
        col(Balance.account_id),
        col(Balance.currency),
        col(Balance.purpose),
        col(Balance.booked),
        col(Balance.held),
        col(Balance.overdraft_limit),
        col(Account.owner_id),
        col(Account.status),
        col(Balance.updated_at),
    )
    .outerjoin(Account, col(Account.id) == Balance.account_id)
    .where(col(Balance.account_id) == any_(array_of("ids", Uuid()))),
    FactsRow,
)

_asked = (
    func.unnest(array_of("users", Uuid()), array_of("keys", Text()))
    .table_valued(column("user_id", Uuid()), column("key", Text()), name="asked")
    .render_derived()
)
OUTCOMES = Query(
    select(
        col(IdempotencyOutcome.user_id),
        col(IdempotencyOutcome.key),
        col(IdempotencyOutcome.fingerprint),
        col(IdempotencyOutcome.outcome),
        col(IdempotencyOutcome.subject_id),
        col(IdempotencyOutcome.refusal),
    ).join(
        _asked,
        and_(
            col(IdempotencyOutcome.user_id) == _asked.c.user_id,
            col(IdempotencyOutcome.key) == _asked.c.key,
        ),
    ),
    OutcomeRow,
)
