"""The only writer of payees. Each change is audited, and so is each refusal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import DateTime, Text, Uuid, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from bank_graphql.accounts.models import Account
from bank_graphql.audit import service as audit
from bank_graphql.identity.errors import StepUpRequired
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.clock import Clock, utc_now
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.errors import NotFound, ValidationFailed
from bank_graphql.kit.ids import global_id, lock_key, new_id
from bank_graphql.kit.seals import Seals
from bank_graphql.kit.statements import Insert, Query, Row, Writes, any_of
from bank_graphql.ledger.models import Transaction
from bank_graphql.payees import queries
from bank_graphql.payees.enums import PayeeMatch
from bank_graphql.payees.matching import compare_with_holders
from bank_graphql.payees.models import Payee, VerifiedPayment
from bank_graphql.payees.queries import PayeeRow
from bank_graphql.payees.rules import MAX_PAYEES, VerifiedPayee, check_name, check_number

_id, _owner = bindparam("payee", type_=Uuid()), bindparam("owner_id", type_=Uuid())
_own = (col(Payee.id) == _id, col(Payee.owner_id) == _owner, col(Payee.removed_at).is_(None))
_INSERT = Query(
    insert(Payee)
    .values(
        id=_id,
        owner_id=_owner,
        name=bindparam("name", type_=Text()),
        account_number=bindparam("number", type_=Text()),
        created_at=bindparam("now", type_=DateTime(timezone=True)),
    )
    .on_conflict_do_nothing()
    .returning(*queries.COLUMNS),
    PayeeRow,
)
_RENAME = Query(update(Payee).where(*_own).values(name=bindparam("new_name", type_=Text())).returning(*queries.COLUMNS), PayeeRow)
_REMOVE = Query(
    update(Payee).where(*_own).values(removed_at=bindparam("now", type_=DateTime(timezone=True))).returning(*queries.COLUMNS),
    PayeeRow,
)


_ERASE_PAYEES = Query(delete(Payee).where(col(Payee.owner_id) == _owner), Row)
_owned = select(col(Account.id)).where(col(Account.owner_id) == _owner)
_paid = select(col(Transaction.id)).where(any_of(col(Transaction.from_account_id), _owned))
_ERASE_VERIFIED = Query(
    update(VerifiedPayment)
    .where(any_of(col(VerifiedPayment.transaction_id), _paid))
    .values(name=bindparam("new_name", type_=Text())),
    Row,
)
_INSERT_VERIFIED = Insert(VerifiedPayment, "transaction_id", "match", "name")
LIFETIME = timedelta(minutes=15)
"""How long a verification can be used for a payment."""


@dataclass(frozen=True, slots=True)
class Verification:
    """How a payee's name compares with that of the account's holder.

    Attributes:
        match: the answer.
        actual_name: the holder's name, for a CLOSE_MATCH only.
        token: carries the answer to a payment, for the same user and the same account number.
        expires_at: when the token expires.
    """

    match: PayeeMatch
    actual_name: str | None
    token: str
    expires_at: datetime


def record(writes: Writes, verified: Sequence[tuple[UUID, PayeeMatch, str]]) -> None:
    """Add the verifications of new payments: transaction, answer, and the name that was given."""
    writes.insert(_INSERT_VERIFIED, verified)


class Payees:
    """Changes to the payees of an actor, and the verification of payees.

    Args:
        db: the database.
        clock: gives the bank's time.
        seals: makes and opens the tokens of verifications.
    """

    def __init__(self, db: Database, clock: Clock, seals: Seals) -> None:
        self._db = db
        self._clock = clock
        self._seals = seals

    async def verify(self, actor: Actor, account_number: str, name: str) -> Verification:
        """Compare a name with that of the holder of an account. It is audited.

        The account of another bank, and one that does not exist or is closed, is NOT_POSSIBLE.

        Raises:
            ValidationFailed: the name or the number is not valid.
        """
        checked, number = check_name(name), check_number(account_number)

        async def work(connection: Connection) -> list[str]:
            found = await connection.fetch_one(queries.HOLDERS, number=number)
            return [] if found is None else found.names

        holders = await audit.execute_audited(self._db, actor, "verifyPayee", None, work)
        match, actual = compare_with_holders(checked, holders)
        expires_at = (utc_now() + LIFETIME).replace(microsecond=0)
        claims = {
            "user": actor.user_id.hex,
            "number": number,
            "name": checked,
            "match": match,
            "expires": int(expires_at.timestamp()),
        }
        shown = actual if match == PayeeMatch.CLOSE_MATCH else None
        return Verification(match, shown, self._seals.seal(claims), expires_at)

    def opened(self, actor: Actor, token: str) -> VerifiedPayee:
        """Return what a token of a verification says.

        Raises:
            ValidationFailed: `INVALID`: it is none of this user.
        """
        claims = self._seals.open(token)
        if claims is None or claims["user"] != actor.user_id.hex:
            raise ValidationFailed.of("payeeVerification", "INVALID", "This is no verification of yours: call verifyPayee again.")
        is_expired = utc_now().timestamp() >= claims["expires"]
        return VerifiedPayee(claims["number"], claims["name"], PayeeMatch(claims["match"]), is_expired=is_expired)

    async def add(self, actor: Actor, name: str, account_number: str) -> PayeeRow:
        """Add a payee, and return it.

        Raises:
            StepUpRequired: the actor was not verified a short while ago: whoever is a payee is paid without further questions.
            ValidationFailed: the name or the number is not valid, `TAKEN`: there is one with this number, or `TOO_MANY`.
        """
        checked, number = check_name(name), check_number(account_number)
        payee_id = new_id()

        async def work(connection: Connection) -> PayeeRow:
            if not actor.is_verified:
                raise StepUpRequired
            await connection.lock([lock_key("payees", actor.user_id)])
            [row] = await connection.fetch(queries.COUNT, owner=actor.user_id, maximum=MAX_PAYEES)
            if row.count >= MAX_PAYEES:
                raise ValidationFailed.of("accountNumber", "TOO_MANY", f"You may have {MAX_PAYEES} payees: remove one first.")
            given = {"payee": payee_id, "owner_id": actor.user_id, "name": checked, "number": number}
            made = await connection.fetch_one(_INSERT, **given, now=self._clock())
            if made is None:
                raise ValidationFailed.of("accountNumber", "TAKEN", "One of your payees has this account number already.")
            return made

        return await audit.execute_audited(self._db, actor, "addPayee", payee_id, work)

    async def rename(self, actor: Actor, payee_id: UUID, name: str) -> PayeeRow:
        """Rename a payee, and return it.

        Raises:
            NotFound: the actor has no such payee.
            ValidationFailed: the name is not valid.
        """
        checked = check_name(name)
        return await self._change(actor, "renamePayee", payee_id, _RENAME, new_name=checked)

    async def remove(self, actor: Actor, payee_id: UUID) -> PayeeRow:
        """Remove a payee, and return it as it was.

        Raises:
            NotFound: the actor has no such payee.
        """
        return await self._change(actor, "removePayee", payee_id, _REMOVE, now=self._clock())

    async def _change(self, actor: Actor, action: str, payee_id: UUID, change: Query[PayeeRow], **arguments: object) -> PayeeRow:
        async def work(connection: Connection) -> PayeeRow:
            changed = await connection.fetch_one(change, payee=payee_id, owner_id=actor.user_id, **arguments)
            if changed is None:
                raise NotFound("payee", global_id("Payee", payee_id))
            return changed

        return await audit.execute_audited(self._db, actor, action, payee_id, work)


async def erase(connection: Connection, owner_id: UUID) -> None:
    """Delete a user's payees, and erase the names under which payees were verified for the user's payments."""
    await connection.execute(_ERASE_PAYEES, owner_id=owner_id)
    await connection.execute(_ERASE_VERIFIED, owner_id=owner_id, new_name="")
