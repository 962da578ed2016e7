"""The mails that wait: added in the transaction of what they are about, and sent by a job. The only writer of their table."""

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

import aiosmtplib
import orjson
import structlog
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import DateTime, Uuid, bindparam, delete, select, update
from sqlmodel import col

from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.encryption import decrypt, encrypt
from bank_graphql.kit.ids import new_id
from bank_graphql.kit.statements import Insert, Query, Row
from bank_graphql.mail.letters import Mail
from bank_graphql.mail.models import OutgoingMail
from bank_graphql.mail.senders import MailRefusedError, Sender

KEPT_FOR = timedelta(days=1)
"""For how long a mail is tried to be sent."""
LEASE = timedelta(minutes=5)
"""How long a process has to send the mails that it has taken before another one may: longer than all of them can take."""
FIRST_DELAY = timedelta(seconds=30)
"""After how long a mail that could not be sent is tried again. Each further time it takes twice as long, an hour at most."""
_MAX_DELAY = timedelta(hours=1)
_PIECE = 8
_log = structlog.get_logger(__name__)


class _MailRow(Row):
    id: UUID
    sealed: bytes
    is_discarded: bool
    attempts: int
    is_late: bool


_now = bindparam("now", type_=DateTime(timezone=True))
_id = bindparam("id", type_=Uuid())
_INSERT = Insert(OutgoingMail, "id", "sealed", "is_discarded", "attempts", "created_at", "due_at")
_due = (
    select(col(OutgoingMail.id))
    .where(col(OutgoingMail.due_at) <= _now)
    .order_by(col(OutgoingMail.due_at))
    .limit(_PIECE)
    .with_for_update(skip_locked=True)
)
_CLAIM = Query(
    update(OutgoingMail)
    .where(col(OutgoingMail.id).in_(_due))
    .values(due_at=bindparam("lease", type_=DateTime(timezone=True)), attempts=OutgoingMail.attempts + 1)
    .returning(
        col(OutgoingMail.id),
        col(OutgoingMail.sealed),
        col(OutgoingMail.is_discarded),
        col(OutgoingMail.attempts),
        (col(OutgoingMail.created_at) < bindparam("kept_since", type_=DateTime(timezone=True))).label("is_late"),
    ),
    _MailRow,
)
_POSTPONE = Query(
    update(OutgoingMail).where(col(OutgoingMail.id) == _id).values(due_at=bindparam("due", type_=DateTime(timezone=True))), Row
)
_DELETE = Query(delete(OutgoingMail).where(col(OutgoingMail.id) == _id), Row)


class Outbox:
    """The mails that wait to be sent.

    Args:
        db: the database.
        sender: sends them; None if the bank sends no mails.
        key: the key that encrypts them.
        clock: gives the real time.
        count: counts what became of a mail: `sent`, `refused`, `failed` or `given_up`.
    """

    def __init__(self, db: Database, sender: Sender | None, key: bytes, clock: Clock, count: Callable[[str], None]) -> None:
        self._db = db
        self._sender = sender
        self._cipher = AESGCM(key)
        self._clock = clock
        self._count = count

    @property
    def is_open(self) -> bool:
        """Whether the bank sends mails."""
        return self._sender is not None

    async def add(self, connection: Connection, mail: Mail, *, discard: bool = False) -> None:
        """Add a mail, which is sent after the transaction. A bank that sends no mails adds none.

        Args:
            connection: the transaction of what the mail is about.
            mail: the mail.
            discard: whether it is stored like any other, and never sent. So the request takes as long as one that has it sent.
        """
        if self._sender is None:
            return
        mail_id, now = new_id(), self._clock()
        sealed = encrypt(self._cipher, orjson.dumps([mail.to, mail.subject, mail.text]), mail_id.bytes)
        await connection.insert(_INSERT, [(mail_id, sealed, discard, 0, now, now)])

    async def send_due(self) -> int:
        """Send the mails that are due, and return how many were sent. Those of a bank that sends none any more are kept."""
        sender, sent = self._sender, 0
        while sender is not None and (claimed := await self._claim()):
            for row in claimed:
                sent += await self._send(sender, row)
        return sent

    async def _claim(self) -> list[_MailRow]:
        now = self._clock()
        given = {"now": now, "lease": now + LEASE, "kept_since": now - KEPT_FOR}
        return await self._db.transact(lambda connection: connection.fetch(_CLAIM, **given))

    async def _send(self, sender: Sender, row: _MailRow) -> bool:
        if row.is_discarded:
            return await self._delete(row, None)
        if row.is_late:
            _log.warning("a mail could not be sent for a day and is given up", mail=str(row.id))
            return await self._delete(row, "given_up")
        try:
            await sender.send(row.id, Mail(*orjson.loads(decrypt(self._cipher, row.sealed, row.id.bytes))))
        except MailRefusedError:
            _log.warning("the mail server refuses a mail for good", mail=str(row.id))
            return await self._delete(row, "refused")
        except Exception as error:  # noqa: BLE001 - whatever is wrong with this mail, others are not to wait for it
            # The error's text may name the address, or hold what the server was sent.
            _log.warning(
                "a mail cannot be sent and is tried again", mail=str(row.id), error=type(error).__name__, why=_why(error)
            )
            self._count("failed")
            await self._postpone(row)
            return False
        return await self._delete(row, "sent")

    async def _delete(self, row: _MailRow, outcome: str | None) -> bool:
        await self._db.transact(lambda connection: connection.execute(_DELETE, id=row.id))
        if outcome is not None:
            self._count(outcome)
        return outcome == "sent"

    async def _postpone(self, row: _MailRow) -> None:
        delay = min(FIRST_DELAY * 2 ** min(row.attempts - 1, 10), _MAX_DELAY)
        await self._db.transact(lambda connection: connection.execute(_POSTPONE, id=row.id, due=self._clock() + delay))


def _why(error: Exception) -> str | int | None:
    """Return what is wrong, as far as it names nobody: why there is no connection, or the server's code."""
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return int(error.code)
    is_about_the_server = isinstance(error, aiosmtplib.SMTPConnectError) or type(error) is aiosmtplib.SMTPException
    return str(error) if is_about_the_server else None
