"""What a program that acts for a user may be allowed to do. No other place defines it. Pure.

A mutation names its scope where it is declared, and is refused to a program without it; one that names none is for people
alone. What a program reads is scoped in the statements: a viewer without the scope of a statement is nobody.
"""

from enum import StrEnum
from uuid import UUID

from bank_graphql.identity.permissions import Permission
from bank_graphql.kit.actor import Actor


class Scope(StrEnum):
    """Something that an access grant allows a program, on the accounts that it names."""

    ACCOUNTS_READ = "accounts:read"
    TRANSACTIONS_READ = "transactions:read"
    PAYMENTS_WRITE = "payments:write"
    CARDS_READ = "cards:read"
    PROFILE = "profile"
    CARDS_PROCESS = "cards:process"
    CLEARING_PROCESS = "clearing:process"


SERVICES: dict[Scope, Permission] = {
    Scope.CARDS_PROCESS: Permission.PROCESS_CARDS,
    Scope.CLEARING_PROCESS: Permission.PROCESS_CLEARING,
}
"""The scopes of services, and the permission that each passes on, as long as the role of whoever gave it has that."""
OF_ACCOUNTS = frozenset({Scope.ACCOUNTS_READ, Scope.TRANSACTIONS_READ, Scope.PAYMENTS_WRITE, Scope.CARDS_READ})
"""The scopes that are about chosen accounts."""
NOBODY = UUID(int=0)
"""A viewer who sees nothing."""


def viewer_of(actor: Actor, scope: Scope | None) -> UUID:
    """Return the id by which a statement that needs a scope knows the actor.

    Args:
        actor: whoever reads. A person needs no scope. A program is known by its grant, and for a profile by its user.
        scope: what the statement reads; None for what only people read.
    """
    grant = actor.grant
    if grant is None:
        return actor.user_id
    if scope is None or scope not in grant.scopes:
        return NOBODY
    return grant.user_id if scope is Scope.PROFILE else actor.user_id
