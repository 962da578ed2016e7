"""Reads of payments that programs requested, for the program, for whoever lets it act, and for the account's owners."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, case, func, literal_column, or_, select, text, true, union_all
from sqlalchemy.orm import aliased
from sqlmodel import col

from bank_graphql.accounts.enums import MemberRole
from bank_graphql.accounts.models import Account, Membership
from bank_graphql.accounts.visibility import is_active
from bank_graphql.identity.models import AccessGrant, User
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.statements import Query, Reads, Row, any_of
from bank_graphql.ledger.enums import TransactionStatus
from bank_graphql.ledger.models import Transaction
from bank_graphql.payments.enums import PaymentRequestStatus
from bank_graphql.payments.models import PaymentRequest

MAX_LISTED = 100
"""The maximum number of requests that a list shows."""


class PaymentRequestRow(Row):
    """A payment that a program requested. `is_expired`: nobody decided in time; `is_revoked`: the grant has ended."""

    id: UUID
    grant_id: UUID
    user_id: UUID
    account_id: UUID
    hold_id: UUID
    to_account_id: UUID | None
    to_number: str | None
    to_name: str | None
    amount: int
    currency: str
    description: str | None
    end_to_end_id: str | None
    reason: str
    decision: PaymentRequestStatus
    created_at: datetime
    expires_at: datetime
    decided_by: UUID | None
    decided_at: datetime | None
    transaction_id: UUID | None
    is_expired: bool
    payee_name: str | None
    payee_number: str | None
    is_revoked: bool

    @property
    def kind(self) -> str:
        """What is proposed."""
        return "TRANSFER"

    @property
    def status(self) -> str:
        """What became of it, as of the proposals of staff."""
        if self.decision == PaymentRequestStatus.PENDING:
            return "EXPIRED" if self.is_expired else "PENDING"
        return "EXECUTED" if self.decision == PaymentRequestStatus.APPROVED else "REJECTED"

    @property
    def refusal(self) -> None:
        """None: one that cannot be executed waits on."""
        return


_viewer, _payee, _holder = bindparam("viewer", type_=Uuid()), aliased(Account), aliased(User)
_owned, _joint = aliased(Account), aliased(Membership)
_is_own = any_of(
    col(PaymentRequest.account_id),
    select(col(_owned.id)).where(col(_owned.owner_id) == _viewer),
    select(col(_joint.account_id)).where(
        col(_joint.user_id) == _viewer, is_active(_joint), col(_joint.role) == literal_column(f"'{MemberRole.OWNER}'")
    ),
)
"""The account that pays is the viewer's, alone or jointly."""
_requests: Any = (
    select(
        *(
            col(getattr(PaymentRequest, "status" if name == "decision" else name)).label(name)
            for name in list(PaymentRequestRow.__annotations__)[:-4]
        ),
        (col(Transaction.status) == TransactionStatus.EXPIRED).label("is_expired"),
        func.coalesce(col(PaymentRequest.to_name), col(_holder.full_name)).label("payee_name"),
        case(
            (col(_payee.number).is_not(None), func.concat("••••", func.right(_payee.number, 4))),
            else_=col(PaymentRequest.to_number),
        ).label("payee_number"),
        col(AccessGrant.revoked_at).is_not(None).label("is_revoked"),
    )
    .join(AccessGrant, col(AccessGrant.id) == PaymentRequest.grant_id)
    .join(Transaction, col(Transaction.id) == PaymentRequest.hold_id)
    .outerjoin(_payee, col(_payee.id) == PaymentRequest.to_account_id)
    .outerjoin(_holder, col(_holder.id) == _payee.owner_id)
)
_REQUEST = Query(
    _requests.where(
        col(PaymentRequest.id) == bindparam("id", type_=Uuid()), or_(col(PaymentRequest.grant_id) == _viewer, _is_own)
    ),
    PaymentRequestRow,
)
_is_pending = text("payment_requests.status = 'PENDING'")
_own = union_all(
    select(col(_owned.id)).where(col(_owned.owner_id) == _viewer),
    select(col(_joint.account_id)).where(
        col(_joint.user_id) == _viewer, is_active(_joint), col(_joint.role) == literal_column(f"'{MemberRole.OWNER}'")
    ),
).subquery("own")


def _newest(*conditions: Any) -> Query[PaymentRequestRow]:
    """Return a query for the newest requests from each account of the viewer: each account is read by the index."""
    newest = (
        select(col(PaymentRequest.id))
        .where(col(PaymentRequest.account_id) == _own.c.id, *conditions)
        .order_by(col(PaymentRequest.account_id).desc(), col(PaymentRequest.id).desc())
        .limit(MAX_LISTED)
        .lateral("newest")
    )
    ids = select(newest.c.id).select_from(_own.join(newest, true()))
    return Query(_requests.where(any_of(col(PaymentRequest.id), ids)), PaymentRequestRow)


_PENDING, _ALL = _newest(_is_pending), _newest()
_PENDING_OF_GRANT = Query(
    _requests.where(col(PaymentRequest.grant_id) == bindparam("grant", type_=Uuid()), _is_own, _is_pending), PaymentRequestRow
)


async def payment_request(db: Reads, actor: Actor, request_id: UUID) -> PaymentRequestRow | None:
    """Return a request by id; None if there is none that is visible to the actor."""
    return await db.fetch_one(_REQUEST, id=request_id, viewer=actor.user_id)


async def payment_requests(db: Reads, actor: Actor) -> list[PaymentRequestRow]:
    """Return what programs requested to pay from accounts of the actor: those that wait, then the others, each newest first.

    At most `MAX_LISTED`.
    """
    found = {each.id: each for query in (_PENDING, _ALL) for each in await db.fetch(query, viewer=actor.user_id)}
    return sorted(found.values(), key=lambda each: (each.status == "PENDING", each.id), reverse=True)[:MAX_LISTED]


async def waiting_of(db: Reads, actor: Actor, grant_id: UUID) -> list[PaymentRequestRow]:
    """Return the requests of a program that wait for a decision of the actor."""
    found = await db.fetch(_PENDING_OF_GRANT, viewer=actor.user_id, grant=grant_id)
    return [each for each in found if each.status == "PENDING"]
