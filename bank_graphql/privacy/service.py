"""Requests of users for the data that the bank holds about them."""

from uuid import UUID

from bank_graphql.audit import service as audit
from bank_graphql.identity.errors import StepUpRequired
from bank_graphql.kit.actor import Actor
from bank_graphql.kit.db import Connection, Database
from bank_graphql.kit.ids import parse_uuid

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
