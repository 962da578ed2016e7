"""Refusals about accounts."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from bank_graphql.kit.errors import Refusal


@dataclass(eq=False)
class AccountStatusRefused(Refusal):
    """The account's status does not allow this. Raised only about an account that the caller may see."""

    code: ClassVar[str] = "AccountStatusRefused"
    account_id: UUID
    status: str

    def __str__(self) -> str:
        return f"The account is {self.status.lower()}."


@dataclass(eq=False)
class StateConflict(Refusal):
    """The thing is in a state that does not allow this.

    Attributes:
        conflict: which rule it is, from `StateConflictCode` of the API.
        state: the state that the thing is in.
        reason: a sentence for people.
    """

    code: ClassVar[str] = "StateConflict"
    conflict: str
    state: str
    reason: str

    def __str__(self) -> str:
        return self.reason
