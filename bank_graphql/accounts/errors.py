"""Refusals about accounts."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from bank_graphql.accounts.enums import AccountStatus
from bank_graphql.kit.errors import Refusal


@dataclass(eq=False)
class AccountStatusRefused(Refusal):
    """The account's status does not allow this. Raised only about an account that the caller may see."""

    code: ClassVar[str] = "AccountStatusRefused"
    account_id: UUID
    status: AccountStatus

    def __str__(self) -> str:
        return f"The account is {self.status.lower()}."
