"""Second factors of users: one-time codes by time, and recovery codes. The only writer of their tables.

Each code is spent by compare-and-set: however many requests present it at once, one of them succeeds.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import BigInteger, DateTime, LargeBinary, Uuid, bindparam, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from bank_graphql.identity import totp
from bank_graphql.identity.enums import MfaState
from bank_graphql.identity.errors import CredentialsRefused
from bank_graphql.identity.models import RecoveryCode, TotpFactor
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.codes import new_code, shown, typed
from bank_graphql.kit.conflicts import StateConflict, StateConflictCode
from bank_graphql.kit.db import Connection
from bank_graphql.kit.encryption import decrypt, encrypt
from bank_graphql.kit.statements import Insert, Query, Reads, Row

RECOVERY_CODES = 10
_CODE_LENGTH = 10
_NO_CODE = "000000"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new secret, which its user puts into an authenticator app.

    Attributes:
        secret: in base 32, to be typed.
        otpauth_url: the same with the names of bank and user, to be opened on the device.
        qr_svg: the same as a picture, to be scanned.
    """

    secret: str
    otpauth_url: str
    qr_svg: str


class _FactorRow(Row):
    sealed_secret: bytes
    confirmed_at: datetime | None
    last_step: int


_user = bindparam("user", type_=Uuid())
_now = bindparam("now", type_=DateTime(timezone=True))
_of_user = col(TotpFactor.user_id) == _user
_factor = select(col(TotpFactor.sealed_secret), col(TotpFactor.confirmed_at), col(TotpFactor.last_step)).where(_of_user)
_FACTOR = Query(_factor, _FactorRow)
_FACTOR_TO_CHANGE = Query(_factor.with_for_update(), _FactorRow)
_enrolment = insert(TotpFactor).values(
    user_id=_user, sealed_secret=bindparam("sealed", type_=LargeBinary()), created_at=_now, last_step=0
)
_ENROL = Query(
    _enrolment.on_conflict_do_update(
        index_elements=["user_id"],
        set_={"sealed_secret": _enrolment.excluded.sealed_secret, "created_at": _enrolment.excluded.created_at},
        where=col(TotpFactor.confirmed_at).is_(None),
    ).returning(col(TotpFactor.user_id)),
    Row,
)
_step = bindparam("step", type_=BigInteger())
_CONFIRM = Query(update(TotpFactor).where(_of_user).values(confirmed_at=_now, last_step=_step), Row)
_SPEND_STEP = Query(
    update(TotpFactor)
    .where(_of_user, col(TotpFactor.confirmed_at).is_not(None), col(TotpFactor.last_step) < _step)
    .values(last_step=_step)
    .returning(col(TotpFactor.user_id)),
    Row,
)
_SPEND_CODE = Query(
    update(RecoveryCode)
    .where(
        col(RecoveryCode.user_id) == _user,
        col(RecoveryCode.code_hash) == bindparam("hash", type_=LargeBinary()),
        col(RecoveryCode.used_at).is_(None),
    )
    .values(used_at=_now)
    .returning(col(RecoveryCode.user_id)),
    Row,
)
_INSERT_CODES = Insert(RecoveryCode, "user_id", "code_hash")
_DELETE_CODES = Query(delete(RecoveryCode).where(col(RecoveryCode.user_id) == _user), Row)
_DELETE_FACTOR = Query(delete(TotpFactor).where(_of_user), Row)


class SecondFactors:
    """The second factors of all users.

    Args:
        key: the key that encrypts secrets and hashes recovery codes.
        issuer: the bank's name, as authenticator apps show it.
        clock: gives the real time, which codes depend on.
    """

    def __init__(self, key: bytes, *, issuer: str, clock: Clock) -> None:
        self._cipher = AESGCM(key)
        self._hash_key = hmac.digest(key, b"recovery codes", sha256)
        self._issuer = issuer
        self._clock = clock

    async def are_enabled(self, db: Reads | Connection, user_id: UUID) -> bool:
        """Return whether a user signs in with a second factor."""
        return _state_of(await db.fetch_one(_FACTOR, user=user_id)) == MfaState.ENABLED

    async def enrol(self, connection: Connection, user_id: UUID, email: str) -> Enrolment:
        """Make a secret for a user, in place of one that was not confirmed.

        Raises:
            StateConflict: a confirmed one exists.
        """
        secret = totp.new_secret()
        sealed = encrypt(self._cipher, secret, _bound_to(user_id))
        if not await connection.fetch(_ENROL, user=user_id, sealed=sealed, now=self._clock()):
            raise _conflict(MfaState.ENABLED, "Your second factor is set up already: disable it first.")
        url = totp.url_of(secret, self._issuer, email)
        return Enrolment(totp.base32_of(secret), url, totp.qr_svg_of(url))

    async def confirm(self, connection: Connection, user_id: UUID, code: str) -> list[str]:
        """Put a user's secret into use, and spend the code that proves that the user's device has it.

        Returns:
            New recovery codes. They are stored as hashes, so they cannot be shown again.

        Raises:
            StateConflict: there is no secret to confirm.
            CredentialsRefused: the code is wrong.
        """
        factor = await connection.fetch_one(_FACTOR_TO_CHANGE, user=user_id)
        if factor is None or factor.confirmed_at is not None:
            raise _conflict(_state_of(factor), "There is no new second factor to confirm: call enrolTotp first.")
        step = self._step_of(user_id, factor, code)
        if step is None:
            raise CredentialsRefused
        await connection.execute(_CONFIRM, user=user_id, now=self._clock(), step=step)
        codes = [new_code(_CODE_LENGTH) for _ in range(RECOVERY_CODES)]
        await connection.execute(_DELETE_CODES, user=user_id)
        await connection.insert(_INSERT_CODES, [(user_id, self._hash_of(user_id, each)) for each in codes])
        return [shown(each) for each in codes]

    async def spend(self, connection: Connection, user_id: UUID, code: str) -> bool:
        """Spend a one-time code or a recovery code of a user, and return whether it was good."""
        code = typed(code)
        factor = await connection.fetch_one(_FACTOR, user=user_id)
        if factor is None or factor.confirmed_at is None:
            return False
        # Both kinds take equally long to be refused.
        is_one_time = code.isascii() and code.isdigit()
        step = self._step_of(user_id, factor, code if is_one_time else _NO_CODE)
        if step is not None and is_one_time:
            return bool(await connection.fetch(_SPEND_STEP, user=user_id, step=step))
        code_hash = self._hash_of(user_id, code)
        return bool(await connection.fetch(_SPEND_CODE, user=user_id, hash=code_hash, now=self._clock()))

    async def disable(self, connection: Connection, user_id: UUID, code: str) -> None:
        """Delete a user's second factor and recovery codes.

        Raises:
            StateConflict: none is in use.
            CredentialsRefused: the code, a one-time code or a recovery code, is wrong.
        """
        factor = await connection.fetch_one(_FACTOR_TO_CHANGE, user=user_id)
        if factor is None or factor.confirmed_at is None:
            raise _conflict(_state_of(factor), "You have no second factor.")
        if not await self.spend(connection, user_id, code):
            raise CredentialsRefused
        await self._delete(connection, user_id)

    async def remove(self, connection: Connection, user_id: UUID, *, required: bool) -> None:
        """Delete a user's second factor and recovery codes without a code of them.

        Raises:
            StateConflict: none is in use, and one is required.
        """
        factor = await connection.fetch_one(_FACTOR_TO_CHANGE, user=user_id)
        if required and (factor is None or factor.confirmed_at is None):
            raise _conflict(_state_of(factor), "The user has no second factor.")
        await self._delete(connection, user_id)

    async def erase(self, connection: Connection, user_id: UUID) -> None:
        """Delete the second factor and the recovery codes of a user who is closed, if there are any."""
        await self._delete(connection, user_id)

    async def _delete(self, connection: Connection, user_id: UUID) -> None:
        await connection.execute(_DELETE_CODES, user=user_id)
        await connection.execute(_DELETE_FACTOR, user=user_id)

    def _step_of(self, user_id: UUID, factor: _FactorRow, code: str) -> int | None:
        secret = decrypt(self._cipher, factor.sealed_secret, _bound_to(user_id))
        return totp.step_of(secret, code, self._clock(), after_step=factor.last_step)

    def _hash_of(self, user_id: UUID, code: str) -> bytes:
        return hmac.digest(self._hash_key, user_id.bytes + code.encode(), sha256)


def _state_of(factor: _FactorRow | None) -> MfaState:
    if factor is None:
        return MfaState.DISABLED
    return MfaState.ENROLLED if factor.confirmed_at is None else MfaState.ENABLED


def _conflict(state: MfaState, reason: str) -> StateConflict:
    return StateConflict(StateConflictCode.MFA_STATE, state, reason)


def _bound_to(user_id: UUID) -> bytes:
    return b"totp secret/" + user_id.bytes
