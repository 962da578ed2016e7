"""Requests of users for the data that the bank holds about them, and its erasure."""

from uuid import UUID

from bank_graphql.accounts import grants
from bank_graphql.accounts import service as accounts
from bank_graphql.audit import service as audit
from bank_graphql.cards import service as cards
from bank_graphql.identity.errors import StepUpRequired
from bank_graphql.identity.users import Users
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.ids import parse_uuid
from bank_graphql.oauth import tokens as oauth
from bank_graphql.payees import service as payees
from bank_graphql.payments import service as payments
from bank_graphql.schedules import service as schedules

ACTION = "exportMyData"


async def request_export(db: Database, actor: Actor) -> str:
    """Return the path of a document with everything that the bank holds about the actor. It is audited.

    Raises:
        StepUpRequired: the actor was not verified a short while ago.
    """

    async def check(_: Connection) -> str:
        if not actor.is_verified:
            raise StepUpRequired
        return path_of(actor.user_id)

    return await audit.execute_audited(db, actor, ACTION, actor.user_id, check)


async def erase_user(users: Users, actor: Actor, user_id: UUID) -> None:
    """Erase what the bank knows about a closed user as a person: in the books, the user has no name any more.

    What was booked stays, with issued statements and the audit: the law asks for them, and none of it can change.

    Raises:
        Refusal: as `Users.erase`.
    """
    await users.erase(actor, user_id, _erase_elsewhere)


async def _erase_elsewhere(connection: Connection, user_id: UUID) -> None:
    await accounts.erase(connection, user_id)
    await grants.erase(connection, user_id)
    await oauth.erase(connection, user_id)
    await cards.erase(connection, user_id)
    await payees.erase(connection, user_id)
    await payments.erase(connection, user_id)
    await schedules.erase(connection, user_id)


def path_of(user_id: UUID) -> str:
    """Return the path of a user's document."""
    return f"/personal-data/{user_id.hex}.json"


def parse(name: str) -> UUID:
    """Return the user in the last part of a path. The caller has checked its signature.

    Raises:
        ValueError: it is malformed.
    """
    user_id = parse_uuid(name.removesuffix(".json"))
    if user_id is None:
        raise ValueError(name)
    return user_id
