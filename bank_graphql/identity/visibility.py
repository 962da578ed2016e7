"""The one rule of who sees what. Batched reads, listings, streams, services and payments all use it.

A profile is visible to its user, and to every actor who has `READ_ANY`. An account and what belongs to it (cards, entries,
statements) are visible to these, and to its members: `accounts.visibility` adds them. A transaction is visible to whoever
sees one of its two accounts; one that was made by card, or passes through the clearing, is visible to the PROCESSOR
(`PROCESS_CARDS`, `PROCESS_CLEARING`) too, and the return of a payment to whoever sees the payment. The bank's internal
accounts have no owner and are visible to nobody.

What is not visible is treated exactly as if it did not exist.
"""

from typing import Any
from uuid import UUID

from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor


def is_visible(owner: Any, viewer: Any, sees_all: Any) -> Any:
    """Return whether what has this owner is visible to a viewer.

    The arguments are values, or columns of a statement: `==` and `|` mean the same for both, so that the rule is written once.

    Args:
        owner: the id of the owner.
        viewer: the id of the user who reads.
        sees_all: whether that user has `READ_ANY`.
    """
    return (owner == viewer) | sees_all


def sees(actor: Actor, owner_id: UUID | None) -> bool:
    """Return whether the actor sees what has this owner; None stands for the bank itself."""
    return owner_id is not None and bool(is_visible(owner_id, actor.user_id, sees_all(actor)))


def sees_all(actor: Actor) -> bool:
    """Return whether the actor sees what any customer owns."""
    return actor.is_allowed(Permission.READ_ANY)


def sees_processed(actor: Actor) -> bool:
    """Return whether the actor sees all transactions of cards and of the clearing: who processes them does."""
    return actor.is_allowed(Permission.PROCESS_CARDS) or actor.is_allowed(Permission.PROCESS_CLEARING)
