"""Reads of members and programs for a batch, under its locks: what they have paid, and what grants allow."""

from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Date, Uuid, any_, bindparam, cast, func, select, text
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.models import Account, GrantedAccount
from bank_graphql.identity.models import AccessGrant
from bank_graphql.kit.statements import Query, Row, array_of
from bank_graphql.ledger.enums import TransactionStatus
from bank_graphql.ledger.models import Transaction
from bank_graphql.payments.models import DelegatedPayment, PaymentRequest


class PaidRow(Row):
    """What a member has paid on a day, in minor units."""

    delegate_id: UUID
    paid: int


PAID_BY_DELEGATES = Query(
    select(col(DelegatedPayment.delegate_id), cast(func.sum(col(DelegatedPayment.amount)), BigInteger()).label("paid"))
    .where(
        col(DelegatedPayment.delegate_id) == any_(array_of("delegates", Uuid())),
        col(DelegatedPayment.day) == bindparam("day", type_=Date()),
    )
    .group_by(col(DelegatedPayment.delegate_id)),
    PaidRow,
)
"""What members and programs have paid on a day. The locks of the accounts and grants are held."""


class LockedGrantRow(Row):
    """An account that an access grant gives a program, and the grant's terms. The lock of the grant is held."""

    id: UUID
    account_id: UUID
    user_id: UUID
    scopes: list[str]
    payees: list[str] | None
    payee_accounts: list[UUID]
    daily_limit: int | None
    approval_above: int | None
    waiting: int


_payee = aliased(Account)
_payee_accounts = select(col(_payee.id)).where(col(_payee.number) == any_(col(AccessGrant.payees))).correlate(AccessGrant)
_hold = aliased(Transaction)
_waiting = (
    select(func.count())
    .select_from(PaymentRequest)
    .join(_hold, col(_hold.id) == PaymentRequest.hold_id)
    .where(
        col(PaymentRequest.grant_id) == AccessGrant.id,
        text("payment_requests.status = 'PENDING'"),
        col(_hold.status) == TransactionStatus.PENDING,
    )
    .correlate(AccessGrant)
)
GRANTS = Query(
    select(
        col(AccessGrant.id),
        col(GrantedAccount.account_id),
        col(AccessGrant.user_id),
        col(AccessGrant.scopes),
        col(AccessGrant.payees),
        func.array(_payee_accounts.scalar_subquery(), type_=ARRAY(Uuid())).label("payee_accounts"),
        col(AccessGrant.daily_limit),
        col(AccessGrant.approval_above),
        _waiting.scalar_subquery().label("waiting"),
    )
    .join(GrantedAccount, col(GrantedAccount.grant_id) == AccessGrant.id)
    .where(
        col(AccessGrant.id) == any_(array_of("grants", Uuid())),
        col(AccessGrant.revoked_at).is_(None),
    ),
    LockedGrantRow,
)
"""The accounts of access grants that were not revoked. An expired one is refused before."""
