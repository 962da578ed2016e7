"""Refusals about approvals."""

from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from bank_graphql.kit.errors import Refusal


@dataclass(eq=False)
class ApprovalRequired(Refusal):
    """The request waits for the approval of somebody else.

    Attributes:
        approval_id: the proposal that it has become.
    """

    code: ClassVar[str] = "ApprovalRequired"
    approval_id: UUID

    def __str__(self) -> str:
        return "Somebody else is to approve this: it waits in approvals."
