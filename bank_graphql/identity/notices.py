"""Mails that tell users what was done with their access to the bank, so that they notice what they have not done themselves.

They go to verified addresses alone: whoever signs up with the address of somebody else has no mail sent there but one code.
"""

from enum import Enum
from uuid import UUID

from sqlalchemy import Uuid, bindparam, select
from sqlmodel import col

from bank_graphql.identity import queries
from bank_graphql.identity.email_codes import CodePurpose, EmailCodes
from bank_graphql.identity.models import Session
from bank_graphql.kit.actor import Origin
from bank_graphql.kit.clock import Clock
from bank_graphql.kit.db import Connection
from bank_graphql.kit.statements import Query, Row
from bank_graphql.mail.letters import Mail, letter
from bank_graphql.mail.service import Outbox

_MAX_COMPARED = 200
"""With how many of a user's last sessions a new one is compared."""
_MAX_SHOWN = 100


class Change(Enum):
    """A change of how a user signs in, as the mail about it says it."""

    PASSWORD = "Your password was changed"  # noqa: S105 - a sentence
    RESET = "Your password was changed and your passkeys were removed"
    FACTOR_ADDED = "A second factor was set up"
    FACTOR_REMOVED = "Your second factor was removed"
    PASSKEY_ADDED = "A passkey was added"
    PASSKEY_REMOVED = "A passkey was removed"
    PROGRAM_ADDED = "A program got a token to act for you"


class _DeviceRow(Row):
    user_agent: str | None
    ip_address: str | None


_DEVICES = Query(
    select(col(Session.user_agent), col(Session.ip_address))
    .where(col(Session.user_id) == bindparam("user", type_=Uuid()))
    .order_by(col(Session.id).desc())
    .limit(_MAX_COMPARED),
    _DeviceRow,
)


class Notices:
    """Mails users what was done with their access, and codes that verify their addresses.

    Args:
        outbox: takes the mails.
        codes: the codes that are mailed.
        bank_name: the name that they are signed with.
        clock: gives the real time.
    """

    def __init__(self, outbox: Outbox, codes: EmailCodes, bank_name: str, clock: Clock) -> None:
        self._outbox = outbox
        self._codes = codes
        self._bank_name = bank_name
        self._clock = clock

    async def signed_in(self, connection: Connection, user_id: UUID, origin: Origin) -> None:
        """Tell a user who is about to sign in, if no session before came from that network, or none from that client."""
        if not self._outbox.is_open:
            return
        known = await connection.fetch(_DEVICES, user=user_id)
        agents = {each.user_agent for each in known}
        networks = {Origin(each.ip_address).network for each in known}
        if origin.user_agent in agents and origin.network in networks:
            return
        await self._tell(
            connection,
            user_id,
            "A new device signed in",
            "Somebody signed in to your account from a device or a network that you have not used before:",
            f"{_shown(origin.user_agent)}\nfrom {_shown(origin.ip_address)}",
        )

    async def mail_code(self, connection: Connection, email: str, email_key: str) -> None:
        """Mail a user a code that verifies the address, unless one was mailed a moment ago."""
        if not self._outbox.is_open:
            return
        code = await self._codes.make(connection, CodePurpose.VERIFY_EMAIL, email_key)
        if code is None:
            return
        text = letter(
            "to confirm that this is your e-mail address, enter this code within 30 minutes:",
            code,
            "If you are not a customer of ours, somebody gave us your address by mistake: do nothing.",
            signed_by=self._bank_name,
        )
        await self._outbox.add(connection, Mail(email, f"Your code: {code} - {self._bank_name}", text))

    async def changed(self, connection: Connection, user_id: UUID, change: Change) -> None:
        """Tell a user of a change, in whose transaction this is."""
        await self._tell(connection, user_id, change.value, f"{change.value}.")

    async def _tell(self, connection: Connection, user_id: UUID, subject: str, *paragraphs: str) -> None:
        if not self._outbox.is_open:
            return
        [profile] = await connection.fetch(queries.OWN_PROFILE, user=user_id)
        if not profile.email_verified:
            return
        advice = (
            "If it was you, there is nothing to do. If not, change your password, end all other sessions, remove passkeys that "
        )
        advice += "are not yours, and write to us."
        when = f"This was at {self._clock():%Y-%m-%d %H:%M} UTC."
        body = letter(*paragraphs, f"{when} {advice}", signed_by=self._bank_name)
        await self._outbox.add(connection, Mail(profile.email, f"{subject} - {self._bank_name}", body))


def _shown(text: str | None) -> str:
    """Return what a client said of itself, as one short line."""
    return "".join(letter for letter in text[:_MAX_SHOWN] if letter.isprintable()) if text else "unknown"
