"""Actors for tests that execute commands themselves."""

from bank_graphql.bank import Bank
from bank_graphql.identity.enums import UserRole
from bank_graphql.identity.permissions import PERMISSIONS
from bank_graphql.kit.actor import Actor
from tests.client import PASSWORD


async def create_actor(bank: Bank, name: str, role: UserRole = UserRole.CUSTOMER) -> Actor:
    """Create a user of this role and return the actor, who has no session."""
    user_id = await bank.people.identity.create_user(
        email=f"{name}@bank.test", password=PASSWORD, full_name=name.title(), role=role
    )
    return Actor(user_id, None, PERMISSIONS[role])
